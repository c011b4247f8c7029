/**
 * The machine that a result belongs to.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';

/** Facts that a figure means nothing without. */
export interface Machine {
  cpu: string;
  cpus: number;
  memoryMB: number;
  arch: string;
  kernel: string;
  os: string;
  node: string;
}

/** This machine. */
export function describeMachine(): Machine {
  let os = 'Linux';
  try {
    os = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os;
  } catch {
    // Not every system has the file.
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memoryMB: Math.round(totalmem() / 1048576),
    arch: arch(),
    kernel: release(),
    os,
    node: process.version,
  };
}

/** A moment of the machine's processors. */
export interface CpuMoment {
  /** Processor seconds of all work since boot, stolen time included. */
  busy: number;
  /** Seconds on the clock. */
  at: number;
}

/** Busy seconds of all processors in a /proc/stat text (proc_stat(5)); its unit is 1/100 s on every architecture. */
export function busySeconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, _idle, _iowait, irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(stat)?.[1] ?? ''
  )
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}

/** Now. */
export function cpuMoment(): CpuMoment {
  return { busy: busySeconds(readFileSync('/proc/stat', 'utf8')), at: performance.now() / 1000 };
}
