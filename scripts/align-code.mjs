// @ts-check
/**
 * Lays an executable out so that the kernel can map its code in pages of 2 MB.
 *
 * A page fault maps at most 64 KB of a file, and a program that lives for some milliseconds spends a good part of them on
 * faults. Where the page cache holds a file in pieces of 2 MB (it does when the file was written in large pieces), one
 * fault maps such a piece whole, if file offset and address agree modulo 2 MB. Linkers make them agree modulo 4 KB only.
 *
 * @module
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const HUGE_PAGE = 0x200000n;
const PT_LOAD = 1;
const PF_X = 1;

/** Elf64_Ehdr, Elf64_Phdr and Elf64_Shdr of elf(5): offsets of the fields used here, and sizes. */
const EHDR = { phoff: 32, shoff: 40, phentsize: 54, phnum: 56, shentsize: 58, shnum: 60, size: 64 };
const PHDR = { type: 0, flags: 4, offset: 8, vaddr: 16, align: 48, size: 56 };
const SHDR = { offset: 24, size: 64 };

/**
 * Moves the code of a 64-bit little-endian ELF executable, and everything behind it, to where its offset agrees with its
 * address modulo 2 MB. No address changes.
 *
 * @param {Buffer} elf
 * @returns {Buffer} the same file when there is nothing to move, or it isn't such a file
 */
export function alignCode(elf) {
  if (elf.length < EHDR.size || elf.readUInt32BE(0) !== 0x7f454c46 || elf.readUInt16BE(4) !== 0x0201)
    return elf;
  const programHeaders = headers(elf, EHDR.phoff, EHDR.phentsize, EHDR.phnum, PHDR.size);
  const sectionHeaders = headers(elf, EHDR.shoff, EHDR.shentsize, EHDR.shnum, SHDR.size);
  const code = programHeaders?.find(
    (at) => elf.readUInt32LE(at + PHDR.type) === PT_LOAD && (elf.readUInt32LE(at + PHDR.flags) & PF_X) !== 0,
  );
  if (programHeaders === undefined || sectionHeaders === undefined || code === undefined) return elf;
  const from = elf.readBigUInt64LE(code + PHDR.offset);
  const gap = BigInt.asUintN(64, elf.readBigUInt64LE(code + PHDR.vaddr) - from) % HUGE_PAGE;
  const align = elf.readBigUInt64LE(code + PHDR.align);
  // The headers must stay where they are, and every segment that moves as aligned as it was.
  if (gap === 0n || align === 0n || gap % align !== 0n || programHeaders.some((at) => BigInt(at) >= from))
    return elf;

  const moved = Buffer.concat([
    elf.subarray(0, Number(from)),
    Buffer.alloc(Number(gap)),
    elf.subarray(Number(from)),
  ]);
  /** @param {number} at where an offset in the file is written */
  const move = (at) => {
    const offset = moved.readBigUInt64LE(at);
    if (offset >= from) moved.writeBigUInt64LE(offset + gap, at);
  };
  for (const at of programHeaders) move(at + PHDR.offset);
  for (const at of sectionHeaders) {
    move((BigInt(at) >= from ? at + Number(gap) : at) + SHDR.offset);
  }
  move(EHDR.shoff);
  return moved;
}

/**
 * Where the entries of a table of headers are.
 *
 * @param {Buffer} elf
 * @param {number} offset @param {number} entrySize @param {number} count fields of the ELF header
 * @param {number} size of an entry as elf(5) has it
 * @returns {number[] | undefined} undefined for a table that is not as it should be
 */
function headers(elf, offset, entrySize, count, size) {
  const start = Number(elf.readBigUInt64LE(offset));
  const entries = elf.readUInt16LE(count);
  if (entries > 0 && (elf.readUInt16LE(entrySize) !== size || start + entries * size > elf.length))
    return undefined;
  return Array.from({ length: entries }, (_, index) => start + index * size);
}

/**
 * Writes a file in one piece, for the page cache to hold it in large ones. copy_file_range(2) and small writes make pieces
 * of 4 KB of it, and starting the program takes a third longer.
 *
 * @param {string} path @param {Buffer} content
 * @param {number} mode
 */
export function writeWhole(path, content, mode) {
  const fd = openSync(path, 'w', mode);
  try {
    for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
  } finally {
    closeSync(fd);
  }
}
