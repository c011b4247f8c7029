/**
 * Whether CRIU is there, and gets along with this kernel: for `doctor`.
 *
 * @module
 */

import { errorLine } from './failure.ts';
import { REQUEST } from './messages.ts';
import { findCriu, startCriu, versionText } from './process.ts';
import { call } from './rpc.ts';

export interface CriuReport {
  /** Absent when it is not installed. */
  path?: string;
  version?: string;
  /** Why it can't save anything here. */
  problem?: string;
}

/** Starts CRIU and has it look at the kernel; nothing is saved. */
export async function examineCriu(): Promise<CriuReport> {
  let path: string;
  try {
    path = findCriu();
  } catch {
    return {};
  }
  try {
    const starting = startCriu({ streams: false });
    starting.ready();
    const criu = await starting.begin();
    const report: CriuReport = { path, version: versionText(criu.version) };
    let success = false;
    try {
      const features = { memTrack: true, lazyPages: true };
      ({ success } = await call(criu.socket, { type: REQUEST.FEATURE_CHECK, features }));
    } catch {
      // It went away: what it printed tells why.
    }
    criu.end();
    if (!success) report.problem = errorLine(criu.printed()) ?? 'it does not say why';
    return report;
  } catch (error) {
    return { path, problem: error instanceof Error ? error.message : String(error) };
  }
}
