/** The system call filter. Whether names exist and the kernel supports it is found when the filter is compiled. */

import type { LinuxSeccompAction } from '../types.ts';
import type { Check, Report } from './types.ts';

/** Greatest errnos: libseccomp takes those below the kernel's MAX_ERRNO, and a tracer gets 16 bits. */
const GREATEST: Partial<Readonly<Record<LinuxSeccompAction, number>>> = {
  SCMP_ACT_ERRNO: 4094,
  SCMP_ACT_TRACE: 0xffff,
};
const NO_ERRNO = `nothing: only ${Object.keys(GREATEST).join(' and ')} have an errno`;

/** With these the process tells the runtime of its listener; nobody could answer the notification. */
const NEVER_NOTIFIED = ['write', 'writev'];

function checkErrno(
  action: LinuxSeccompAction,
  errno: number | undefined,
  path: string,
  report: Report,
): void {
  if (errno === undefined) return;
  const greatest = GREATEST[action];
  if (greatest === undefined) report({ path, found: errno, allowed: NO_ERRNO });
  else if (errno > greatest) report({ path, found: errno, allowed: `at most ${greatest}` });
}

export const seccompChecks: readonly Check[] = [
  {
    name: 'seccomp-errno',
    spec: 'config-linux.md, Seccomp',
    reads: ['linux.seccomp'],
    check({ linux }, report) {
      const { defaultAction, defaultErrnoRet, syscalls = [] } = linux?.seccomp ?? {};
      if (defaultAction !== undefined) {
        checkErrno(defaultAction, defaultErrnoRet, 'linux.seccomp.defaultErrnoRet', report);
      }
      syscalls.forEach(({ action, errnoRet }, i) => {
        checkErrno(action, errnoRet, `linux.seccomp.syscalls[${i}].errnoRet`, report);
      });
    },
  },
  {
    name: 'seccomp-default',
    spec: 'config-linux.md, Seccomp',
    reads: ['linux.seccomp'],
    check({ linux }, report) {
      // Some callers write an empty object for "no filter".
      const { defaultAction, syscalls = [] } = linux?.seccomp ?? {};
      if (defaultAction !== undefined || syscalls.length === 0) return;
      const allowed = 'an action for all calls that no rule names';
      report({ path: 'linux.seccomp.defaultAction', found: defaultAction, allowed });
    },
  },
  {
    name: 'seccomp-notify',
    spec: 'config-linux.md, Seccomp',
    reads: ['linux.seccomp', 'annotations'],
    check({ linux, annotations }, report) {
      const { defaultAction, listenerMetadata, syscalls = [] } = linux?.seccomp ?? {};
      const listenerPath = annotations?.['run.oci.seccomp.receiver'] || linux?.seccomp?.listenerPath;
      const path = 'linux.seccomp';
      // The runtime itself must be able to tell the agent: after the filter is loaded it writes.
      if (defaultAction === 'SCMP_ACT_NOTIFY') {
        report({
          path: `${path}.defaultAction`,
          found: defaultAction,
          allowed: 'another action',
          text: 'SCMP_ACT_NOTIFY cannot be used as default action',
        });
      }
      let notifies = false;
      syscalls.forEach(({ action, names }, i) => {
        if (action !== 'SCMP_ACT_NOTIFY') return;
        notifies = true;
        for (const name of NEVER_NOTIFIED) {
          const at = names.indexOf(name);
          if (at < 0) continue;
          report({
            path: `${path}.syscalls[${i}].names[${at}]`,
            found: name,
            allowed: 'another system call',
            text: `SCMP_ACT_NOTIFY cannot be used for the ${name} syscall`,
          });
        }
      });
      if (notifies && !listenerPath) {
        report({
          path: `${path}.listenerPath`,
          found: listenerPath,
          allowed: 'a socket: SCMP_ACT_NOTIFY needs it',
        });
      }
      if (listenerMetadata && !listenerPath) {
        report({
          path: `${path}.listenerMetadata`,
          found: listenerMetadata,
          allowed: 'nothing without listenerPath',
        });
      }
    },
  },
];
