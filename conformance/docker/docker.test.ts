import { testEngine } from '../engines/test.ts';
import { docker } from './engine.ts';

/** What a user of Docker meets first. All of it: `npm run conformance -- docker`. */
testEngine(docker, [
  'run: output and exit code',
  'run -it: an interactive shell',
  'run: a command that is not there: exit code 127',
  'run: a folder as command: exit code 126',
  'run --user by name and --group-add',
  'seccomp: the default profile',
  'run --init: reaps and passes signals on',
  'exec: output and exit code',
  'exec -it: a terminal',
  'exec: a command that is not there',
  'stop: SIGTERM in time',
  'pause and unpause',
  'run --restart on-failure:2',
  'run --health-cmd: healthy and then not',
  'named volumes',
  'bridge: a published port',
  'build with the classic builder',
  'userns-remap: root of the container is another user',
  'no container leaves a state folder or a cgroup',
]);
