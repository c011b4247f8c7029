/** The process: command, working directory, user, capabilities, limits, terminal. */

import type { Check } from './types.ts';
import { createsNamespace } from './types.ts';

/** (uid_t) -1 means "leave as it is" to setresuid(2) and chown(2): the process would stay root. */
const NO_ID = 0xffffffff;
/** NGROUPS_MAX, setgroups(2). */
const MAX_GROUPS = 65536;
/** struct winsize. */
const CONSOLE_LIMIT = 0xffff;

/** In the order of the Go type. */
export const CAPABILITY_SETS = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const;

export const processChecks: readonly Check[] = [
  {
    name: 'process-args',
    spec: 'config.md, Process',
    reads: ['process.args'],
    check({ process }, report) {
      if (process === undefined || process.args?.length) return;
      report({
        path: 'process.args',
        found: process.args,
        allowed: 'at least one entry',
        text: 'args must not be empty',
      });
    },
  },
  {
    name: 'process-cwd',
    spec: 'config.md, Process',
    reads: ['process.cwd'],
    check({ process }, report) {
      if (process === undefined || process.cwd.startsWith('/')) return;
      const text = process.cwd === '' ? 'Cwd property must not be empty' : 'Cwd must be an absolute path';
      report({ path: 'process.cwd', found: process.cwd, allowed: 'an absolute path', text });
    },
  },
  {
    name: 'process-user-ids',
    spec: 'config.md, POSIX-platform User; setresuid(2)',
    reads: ['process.user'],
    check({ process }, report) {
      const user = process?.user;
      if (user === undefined) return;
      const check = (name: string, id: number): void => {
        if (id !== NO_ID) return;
        report({ path: `process.user.${name}`, found: id, allowed: `an integer from 0 to ${NO_ID - 1}` });
      };
      if ((user.additionalGids?.length ?? 0) > MAX_GROUPS) {
        const allowed = `at most ${MAX_GROUPS} entries`;
        report({ path: 'process.user.additionalGids', found: user.additionalGids, allowed });
      }
      check('uid', user.uid);
      check('gid', user.gid);
      user.additionalGids?.forEach((id, i) => {
        check(`additionalGids[${i}]`, id);
      });
    },
  },
  {
    name: 'process-user-mapped',
    spec: 'config-linux.md, User namespace mappings; user_namespaces(7)',
    reads: ['process.user', 'linux.namespaces', 'linux.uidMappings', 'linux.gidMappings'],
    check(spec, report) {
      if (!createsNamespace(spec, 'user') || spec.process === undefined) return;
      for (const [name, mappings] of [
        ['uid', spec.linux?.uidMappings],
        ['gid', spec.linux?.gidMappings],
      ] as const) {
        const id = spec.process.user?.[name] ?? 0;
        if (!mappings?.length || id === NO_ID) continue;
        if (mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size)) continue;
        report({
          path: `process.user.${name}`,
          found: id,
          allowed: `an id that linux.${name}Mappings maps`,
        });
      }
    },
  },
  {
    name: 'capability-names',
    spec: 'config.md, Linux Process; capabilities(7)',
    reads: ['process.capabilities'],
    check({ process }, report) {
      for (const set of CAPABILITY_SETS) {
        process?.capabilities?.[set]?.forEach((name, i) => {
          // An unknown capability is only warned of: it may be newer than this program.
          if (name.startsWith('CAP_')) return;
          report({
            path: `process.capabilities.${set}[${i}]`,
            found: name,
            allowed: 'a name such as CAP_KILL',
          });
        });
      }
    },
  },
  {
    name: 'rlimits',
    spec: 'config.md, POSIX process',
    reads: ['process.rlimits'],
    check({ process }, report) {
      const seen = new Map<string, number>();
      process?.rlimits?.forEach(({ type, soft, hard }, i) => {
        const first = seen.get(type);
        if (first !== undefined) {
          report({
            path: `process.rlimits[${i}].type`,
            found: type,
            allowed: `a type that process.rlimits[${first}] has not set`,
          });
        }
        seen.set(type, i);
        if (soft > hard) {
          report({
            path: `process.rlimits[${i}].soft`,
            found: soft,
            allowed: `at most the hard limit, ${hard}`,
          });
        }
      });
    },
  },
  {
    name: 'console-size',
    spec: 'config.md, Process; ioctl_tty(2)',
    reads: ['process.terminal', 'process.consoleSize'],
    check({ process }, report) {
      if (!process?.terminal || process.consoleSize === undefined) return;
      for (const name of ['height', 'width'] as const) {
        const size = process.consoleSize[name];
        if (size <= CONSOLE_LIMIT) continue;
        report({ path: `process.consoleSize.${name}`, found: size, allowed: `at most ${CONSOLE_LIMIT}` });
      }
    },
  },
];
