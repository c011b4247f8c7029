/**
 * Root file systems for test bundles: busybox and what little it needs.
 *
 * @module
 */

import { chmodSync, constants, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBusybox } from '../../scripts/prerequisites.mjs';
import { temporaryFolder } from './temporary.ts';

const FOLDERS = ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'usr/bin', 'var'];

/** Only those that tests use: making 300 links takes longer than a container. */
const PROGRAMS = `
  [ awk basename cat chgrp chmod chown cmp cp cut date dd df dirname dmesg echo egrep env expr false find getopt grep
  head hexdump hostname id ifconfig ip kill killall ln ls mkdir mkfifo mknod mktemp more mount mountpoint mv nc nice
  nproc od ping printf ps pwd readlink realpath renice rm rmdir sed seq setsid sh sha256sum sleep sort stat stty su sync
  sysctl tail tar taskset tee test time timeout top touch tr true tty ulimit umount uname uniq unshare usleep vi wc wget
  which whoami xargs yes
`
  .trim()
  .split(/\s+/);

const ETC = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n',
  group: 'root:x:0:\ntty:x:5:\nuser:x:1000:\n',
};

/** Fills a new folder. */
export function makeRootfs(folder: string): string {
  const busybox = findBusybox();
  if (busybox === undefined) throw new Error('tests with containers need a static busybox');
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  // Every user of a container may enter it, however private the folder was made.
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'tmp'), 0o1777);
  // A file of its own: a container that writes to it must not change another's, let alone the host's.
  copyFileSync(busybox, join(folder, 'bin/busybox'), constants.COPYFILE_FICLONE);
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  for (const name of PROGRAMS) symlinkSync('busybox', join(folder, 'bin', name));
  for (const [name, text] of Object.entries(ETC)) writeFileSync(join(folder, 'etc', name), text);
  return folder;
}

let shared: string | undefined;

/** One for all tests of this process: for containers that only read it. */
export function sharedRootfs(): string {
  shared ??= makeRootfs(temporaryFolder());
  return shared;
}
