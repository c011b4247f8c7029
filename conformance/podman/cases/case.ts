/**
 * How cases are written once for root and for an ordinary user.
 *
 * @module
 */
import type { Case } from '../../engines/engine.ts';
import type { Account, Box } from '../podman.ts';

type Body = (account: Account) => void;
type Options = Omit<Case<Box>, 'name' | 'run'>;

/** Most cases: the VM takes half a minute for each. */
const ON_HOST: Options = { host: true };

/** What the manager systemd does otherwise than cgroupfs, which the host has. */
export const ANYWHERE: Options = {};

export const asRoot = (name: string, body: Body, options: Options = ON_HOST): Case<Box>[] => [
  { name, ...options, run: (box) => body(box.root()) },
];

export const asUser = (name: string, body: Body, options: Options = ON_HOST): Case<Box>[] => [
  { name: `rootless: ${name}`, ...options, run: (box) => body(box.user()) },
];

export const asBoth = (name: string, body: Body, options: Options = ON_HOST): Case<Box>[] => [
  ...asRoot(name, body, options),
  ...asUser(name, body, options),
];

/** A container in the background that ends when it is asked to. */
export const WAITS = ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'];
