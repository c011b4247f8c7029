/**
 * Pods and containers made over CRI, as the cases need them.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LOOKS, pauseAfter } from '../engines/engine.ts';
import type { Containerd } from './daemon.ts';
import type { Message } from './grpc.ts';

export interface Pod {
  readonly id: string;
  readonly config: Message;
  /** Where its containers' logs are. */
  readonly logs: string;
}

interface PodOptions {
  /** Fields of PodSandboxConfig. */
  readonly config?: Message;
  /** Fields of LinuxPodSandboxConfig. */
  readonly linux?: Message;
  /** Fields of LinuxSandboxSecurityContext. */
  readonly security?: Message;
  /** Name in containerd's configuration; the default one without. */
  readonly handler?: string;
}

/** A pod, with its sandbox ready. Each container has pids of its own, as in Kubernetes. */
export async function runPod(box: Containerd, options: PodOptions = {}): Promise<Pod> {
  const name = `pod${box.count++}`;
  const logs = join(box.setting.folder, name);
  mkdirSync(logs);
  const isHost = box.setting.place === 'host';
  const config = {
    metadata: { name, uid: `${name}-uid`, namespace: 'tests' },
    hostname: name,
    log_directory: logs,
    linux: {
      ...(isHost ? {} : { cgroup_parent: `/${box.namespace}/${name}` }),
      security_context: { namespace_options: { pid: 'CONTAINER' }, ...options.security },
      ...options.linux,
    },
    ...options.config,
  };
  const request = { config, runtime_handler: options.handler ?? '' };
  const { pod_sandbox_id: id } = await box.cri.call<{ pod_sandbox_id: string }>('RunPodSandbox', request);
  return { id, config, logs };
}

export async function stopPod(box: Containerd, { id }: Pick<Pod, 'id'>): Promise<void> {
  await box.cri.call('StopPodSandbox', { pod_sandbox_id: id });
}

export async function removePod(box: Containerd, { id }: Pick<Pod, 'id'>): Promise<void> {
  await box.cri.call('RemovePodSandbox', { pod_sandbox_id: id });
}

interface PodStatus {
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
  readonly network: { readonly ip: string } | null;
  readonly labels: Message;
  readonly annotations: Message;
  readonly runtime_handler: string;
}

export async function podStatus(box: Containerd, { id }: Pick<Pod, 'id'>): Promise<PodStatus> {
  return (await box.cri.call<{ status: PodStatus }>('PodSandboxStatus', { pod_sandbox_id: id })).status;
}

interface ContainerOptions {
  /** Fields of ContainerConfig. */
  readonly config?: Message;
  /** Fields of LinuxContainerSecurityContext. */
  readonly security?: Message;
  /** Fields of LinuxContainerResources. */
  readonly resources?: Message;
}

/** A container that has been created. @returns its id */
export async function createContainer(
  box: Containerd,
  pod: Pod,
  command: readonly string[],
  { config = {}, security = {}, resources = {} }: ContainerOptions = {},
): Promise<string> {
  const name = `container${box.count++}`;
  const { container_id: id } = await box.cri.call<{ container_id: string }>('CreateContainer', {
    pod_sandbox_id: pod.id,
    sandbox_config: pod.config,
    config: {
      metadata: { name },
      image: { image: box.setting.image.name },
      command,
      log_path: `${name}.log`,
      linux: {
        resources,
        security_context: { namespace_options: { pid: 'CONTAINER' }, ...security },
      },
      ...config,
    },
  });
  return id;
}

export async function startContainer(box: Containerd, id: string): Promise<void> {
  await box.cri.call('StartContainer', { container_id: id });
}

/** A container that runs, a sleep without a command. @returns its id */
export async function runContainer(
  box: Containerd,
  pod: Pod,
  command: readonly string[] = ['sleep', '600'],
  options: ContainerOptions = {},
): Promise<string> {
  const id = await createContainer(box, pod, command, options);
  await startContainer(box, id);
  return id;
}

interface ContainerStatus {
  readonly state: 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
  readonly exit_code: number;
  readonly reason: string;
  readonly message: string;
  readonly log_path: string;
}

export async function containerStatus(box: Containerd, id: string): Promise<ContainerStatus> {
  return (await box.cri.call<{ status: ContainerStatus }>('ContainerStatus', { container_id: id })).status;
}

export async function stopContainer(box: Containerd, id: string, seconds = 0): Promise<void> {
  await box.cri.call('StopContainer', { container_id: id, timeout: seconds });
}

/** As waitFor, for what is asked by gRPC. */
export async function waitUntil<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  for (let i = 0; i < LOOKS; i++) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await setTimeout(pauseAfter(i));
  }
  throw new Error(`waited in vain: ${what}`);
}

/** Waits for a container's end. */
export function waitForExit(box: Containerd, id: string): Promise<ContainerStatus> {
  return waitUntil(`${id} has exited`, async () => {
    const status = await containerStatus(box, id);
    return status.state === 'CONTAINER_EXITED' && status;
  });
}

/**
 * The lines of a container's log: "stdout F text" and so on, without the time.
 *
 * @param isComplete - whether that is all: a container's end may be known before the last of what it has printed
 */
export async function logLines(
  box: Containerd,
  id: string,
  isComplete: (lines: readonly string[]) => boolean,
): Promise<string[]> {
  const { log_path: file } = await containerStatus(box, id);
  let lines: string[] = [];
  await waitUntil(`the log of ${id}`, () => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    // Behind the last newline is nothing, or a line that is being written.
    lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.replace(/^\S+ /, '').trimEnd());
    return isComplete(lines);
  });
  return lines;
}

/** What {@link podOutput} prints last. */
const LAST = 'that is all';

/** What a script prints on standard output as a container of its own; it must succeed. */
export async function podOutput(
  box: Containerd,
  pod: Pod,
  script: string,
  options: ContainerOptions = {},
): Promise<string> {
  const id = await runContainer(box, pod, ['sh', '-c', `trap 'echo ${LAST}' EXIT\n${script}`], options);
  const { exit_code: code } = await waitForExit(box, id);
  const isLast = (line: string): boolean => line === `stdout F ${LAST}`;
  const all = await logLines(box, id, (lines) => lines.some(isLast));
  const lines = all.filter((line) => !isLast(line));
  if (code !== 0) throw new Error(`exit code ${code}: ${lines.join('; ')}`);
  return lines
    .filter((line) => line.startsWith('stdout F '))
    .map((line) => `${line.slice('stdout F '.length)}\n`)
    .join('');
}

export interface Executed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function execSync(
  box: Containerd,
  id: string,
  cmd: readonly string[],
  timeout = 0,
): Promise<Executed> {
  const { stdout, stderr, exit_code } = await box.cri.call<{
    stdout: Uint8Array;
    stderr: Uint8Array;
    exit_code: number;
  }>('ExecSync', { container_id: id, cmd, timeout });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: exit_code, stdout: text(stdout), stderr: text(stderr) };
}

/** What a script prints in a running container; it must succeed. */
export async function execOutput(box: Containerd, id: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await execSync(box, id, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${script}: exit code ${code}: ${stderr || stdout}`);
  return stdout;
}

/** Removes all pods with their containers. */
export async function removePods(box: Containerd): Promise<void> {
  const { items } = await box.cri.call<{ items: { id: string }[] }>('ListPodSandbox');
  for (const pod of items) {
    await stopPod(box, pod);
    await removePod(box, pod);
  }
}
