/**
 * What the runtime's own service manager gave it and the container is to have: sd_notify(3) and sd_listen_fds(3).
 *
 * @module
 */

import type { Mount, Spec } from '../spec/types.ts';

/** Where the container finds its socket, as with runc. */
const NOTIFY_FOLDER = '/run/notify';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A config with the mount and the variables that the caller's environment asks for; the same when it asks for none.
 *
 * @param folder - of the notify socket on the host
 */
export function withService(spec: Spec, env: Environment, folder: string): Spec {
  const variables: string[] = [];
  const mounts: Mount[] = [];
  if (env.NOTIFY_SOCKET) {
    variables.push(`NOTIFY_SOCKET=${NOTIFY_FOLDER}/notify.sock`);
    const options = ['bind', 'nosuid', 'noexec', 'nodev', 'ro'];
    mounts.push({ destination: NOTIFY_FOLDER, type: 'bind', source: folder, options });
  }
  const count = listenFds(env);
  if (count > 0) {
    // The container's command is process 1 of its pid namespace.
    variables.push(`LISTEN_FDS=${count}`, 'LISTEN_PID=1');
    if (env.LISTEN_FDNAMES) variables.push(`LISTEN_FDNAMES=${env.LISTEN_FDNAMES}`);
  }
  if (variables.length === 0 || spec.process === undefined) return spec;
  const process = { ...spec.process, env: [...(spec.process.env ?? []), ...variables] };
  return { ...spec, process, mounts: [...(spec.mounts ?? []), ...mounts] };
}

/**
 * How many descriptors the caller passes by sd_listen_fds(3). With a LISTEN_PID that is another process's they are
 * not for us: the variables were inherited.
 */
export function listenFds({ LISTEN_FDS: value, LISTEN_PID: owner }: Environment, pid = process.pid): number {
  if (value === undefined || !/^[0-9]{1,4}$/.test(value)) return 0;
  return owner === undefined || owner === '' || owner === String(pid) ? Number(value) : 0;
}
