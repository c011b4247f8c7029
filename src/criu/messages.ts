/**
 * CRIU's messages: what is used of its RPC.
 *
 * @see https://criu.org/RPC
 * @see criu(8)
 * @module
 */

import type { MessageType } from './protobuf.ts';
import { decode, encode } from './protobuf.ts';

/** What a request is, and an answer is to. */
export const REQUEST = {
  DUMP: 1,
  RESTORE: 2,
  CHECK: 3,
  PRE_DUMP: 4,
  NOTIFY: 6,
  FEATURE_CHECK: 9,
  VERSION: 10,
} as const;

/** How cgroups are saved and restored: `--manage-cgroups`. */
export const CGROUP_MODE = { ignore: 0, soft: 3, full: 4, strict: 5, default: 6 } as const;

/** How connections are held while they are saved: `--network-lock`. */
export const NETWORK_LOCK = { iptables: 1, nftables: 2, skip: 3 } as const;

/** A name in the images, and what stands for it when they are restored. */
export interface ExternalMount {
  key: string;
  val: string;
}

export interface InheritedDescriptor {
  key: string;
  /** Number in CRIU's process. */
  fd: number;
}

/** Options of dump and restore. Their names are those of the RPC, in lower camel case. */
export interface CriuOptions {
  /** Number in the caller's process, like `workDirFd` and `statusFd`. */
  imagesDirFd: number;
  pid?: number;
  leaveRunning?: boolean;
  extUnixSk?: boolean;
  tcpEstablished?: boolean;
  evasiveDevices?: boolean;
  shellJob?: boolean;
  fileLocks?: boolean;
  logLevel?: number;
  logFile?: string;
  ps?: { address: string; port: number };
  notifyScripts?: boolean;
  root?: string;
  parentImg?: string;
  trackMem?: boolean;
  autoDedup?: boolean;
  workDirFd?: number;
  linkRemap?: boolean;
  extMnt?: ExternalMount[];
  manageCgroups?: boolean;
  cgRoot?: { ctrl?: string; path: string }[];
  rstSibling?: boolean;
  inheritFd?: InheritedDescriptor[];
  extSharing?: boolean;
  extMasters?: boolean;
  manageCgroupsMode?: number;
  external?: string[];
  emptyNs?: number;
  joinNs?: { ns: string; nsFile: string }[];
  freezeCgroup?: string;
  tcpSkipInFlight?: boolean;
  lazyPages?: boolean;
  statusFd?: number;
  orphanPtsMaster?: boolean;
  configFile?: string;
  tcpClose?: boolean;
  lsmProfile?: string;
  lsmMountContext?: string;
  networkLock?: number;
}

export interface CriuFeatures {
  memTrack?: boolean;
  lazyPages?: boolean;
}

export interface CriuRequest {
  type: number;
  opts?: CriuOptions;
  notifySuccess?: boolean;
  keepOpen?: boolean;
  features?: CriuFeatures;
}

export interface CriuResponse {
  type: number;
  success: boolean;
  restore?: { pid: number };
  notify?: { script?: string; pid?: number };
  crErrno?: number;
  features?: CriuFeatures;
  crErrmsg?: string;
  version?: { major: number; minor: number; sublevel?: number };
}

const EXTERNAL_MOUNT: MessageType = {
  key: { number: 1, type: 'string' },
  val: { number: 2, type: 'string' },
};

const OPTIONS: MessageType = {
  imagesDirFd: { number: 1, type: 'int32' },
  pid: { number: 2, type: 'int32' },
  leaveRunning: { number: 3, type: 'bool' },
  extUnixSk: { number: 4, type: 'bool' },
  tcpEstablished: { number: 5, type: 'bool' },
  evasiveDevices: { number: 6, type: 'bool' },
  shellJob: { number: 7, type: 'bool' },
  fileLocks: { number: 8, type: 'bool' },
  logLevel: { number: 9, type: 'int32' },
  logFile: { number: 10, type: 'string' },
  ps: {
    number: 11,
    type: { address: { number: 1, type: 'string' }, port: { number: 2, type: 'int32' } },
  },
  notifyScripts: { number: 12, type: 'bool' },
  root: { number: 13, type: 'string' },
  parentImg: { number: 14, type: 'string' },
  trackMem: { number: 15, type: 'bool' },
  autoDedup: { number: 16, type: 'bool' },
  workDirFd: { number: 17, type: 'int32' },
  linkRemap: { number: 18, type: 'bool' },
  extMnt: { number: 23, type: EXTERNAL_MOUNT, repeated: true },
  manageCgroups: { number: 24, type: 'bool' },
  cgRoot: {
    number: 25,
    type: { ctrl: { number: 1, type: 'string' }, path: { number: 2, type: 'string' } },
    repeated: true,
  },
  rstSibling: { number: 26, type: 'bool' },
  inheritFd: {
    number: 27,
    type: { key: { number: 1, type: 'string' }, fd: { number: 2, type: 'int32' } },
    repeated: true,
  },
  extSharing: { number: 29, type: 'bool' },
  extMasters: { number: 30, type: 'bool' },
  manageCgroupsMode: { number: 34, type: 'int32' },
  external: { number: 37, type: 'string', repeated: true },
  emptyNs: { number: 38, type: 'uint32' },
  joinNs: {
    number: 39,
    type: { ns: { number: 1, type: 'string' }, nsFile: { number: 2, type: 'string' } },
    repeated: true,
  },
  freezeCgroup: { number: 44, type: 'string' },
  tcpSkipInFlight: { number: 46, type: 'bool' },
  lazyPages: { number: 48, type: 'bool' },
  statusFd: { number: 49, type: 'int32' },
  orphanPtsMaster: { number: 50, type: 'bool' },
  configFile: { number: 51, type: 'string' },
  tcpClose: { number: 52, type: 'bool' },
  lsmProfile: { number: 53, type: 'string' },
  lsmMountContext: { number: 63, type: 'string' },
  networkLock: { number: 64, type: 'int32' },
};

const FEATURES: MessageType = {
  memTrack: { number: 1, type: 'bool' },
  lazyPages: { number: 2, type: 'bool' },
};

const REQUEST_MESSAGE: MessageType = {
  type: { number: 1, type: 'int32' },
  opts: { number: 2, type: OPTIONS },
  notifySuccess: { number: 3, type: 'bool' },
  keepOpen: { number: 4, type: 'bool' },
  features: { number: 5, type: FEATURES },
};

const RESPONSE_MESSAGE: MessageType = {
  type: { number: 1, type: 'int32' },
  success: { number: 2, type: 'bool' },
  restore: { number: 4, type: { pid: { number: 1, type: 'int32' } } },
  notify: {
    number: 5,
    type: { script: { number: 1, type: 'string' }, pid: { number: 2, type: 'int32' } },
  },
  crErrno: { number: 7, type: 'int32' },
  features: { number: 8, type: FEATURES },
  crErrmsg: { number: 9, type: 'string' },
  version: {
    number: 10,
    type: {
      major: { number: 1, type: 'int32' },
      minor: { number: 2, type: 'int32' },
      sublevel: { number: 4, type: 'int32' },
    },
  },
};

export function encodeRequest(request: CriuRequest): Uint8Array {
  return encode(REQUEST_MESSAGE, request);
}

/** @throws Error for what is no answer of CRIU */
export function decodeResponse(bytes: Uint8Array): CriuResponse {
  const { type, success, ...rest } = decode(RESPONSE_MESSAGE, bytes);
  if (typeof type !== 'number' || typeof success !== 'boolean')
    throw new Error('neither type nor success is in it');
  return { type, success, ...rest };
}

/** The inverse, for tests that play CRIU. */
export function decodeRequest(bytes: Uint8Array): CriuRequest {
  return decode(REQUEST_MESSAGE, bytes) as unknown as CriuRequest;
}

export function encodeResponse(response: CriuResponse): Uint8Array {
  return encode(RESPONSE_MESSAGE, response);
}
