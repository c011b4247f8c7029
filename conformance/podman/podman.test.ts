/** A choice of the cases, as all of them take minutes: `npm run conformance -- podman`. */

import { testEngine } from '../engines/test.ts';
import { podman } from './engine.ts';

const CHOSEN = [
  'run: output / environment / exit code',
  'run: no such command is 127 / not executable 126',
  'run -t: a terminal',
  'stop: the container ends on SIGTERM',
  'exec: environment / folder / user / exit code',
  'run --privileged',
  'run --security-opt seccomp',
  'run -v: folders of the host',
  'run --pid / --ipc / --uts / --cgroupns host',
  'run --uidmap / --gidmap / --userns auto',
  'run --userns keep-id / nomap / auto',
  'run -p: a port is reached',
  'pod: stop / start / rm',
  'cgroups disabled: none is made',
  'healthcheck',
];

const isChosen = (name: string): boolean => CHOSEN.includes(name.replace(/^rootless: /, ''));

testEngine({ ...podman, cases: podman.cases.filter(({ name }) => isChosen(name)) });
