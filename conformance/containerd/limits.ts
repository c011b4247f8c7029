/**
 * Cases with limits, of ctr and of CRI: they need cgroup controllers.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, call, ok, Skip, waitFor } from '../engines/engine.ts';
import {
  containerStatus,
  execOutput,
  type Pod,
  removePod,
  runContainer,
  runPod,
  stopPod,
  waitForExit,
  waitUntil,
} from './cri.ts';
import { detach, exec, exitStatus, newId, run, runArguments, task } from './ctr.ts';
import { type Containerd, ctrCommand, ctrOk, withEvents } from './daemon.ts';
import { cgroupOf } from './tasks.ts';

const MiB = 1024 * 1024;

/** Fills more memory than any limit here allows, at once. */
const GREEDY = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=128M', 'count=1'];

/** A file of the cgroup of a container's process. */
function limit(pid: number, name: string): string {
  return readFileSync(join('/sys/fs/cgroup', cgroupOf(pid), name), 'utf8').trim();
}

/** The weight of shares: runts' and newer runcs' curve, or the straight line of older ones (docs/cgroups.md). */
function assertWeight(pid: number, shares: number): void {
  const log = Math.log2(shares);
  const curve = Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
  const line = 1 + Math.floor(((shares - 2) * 9999) / 262142);
  assert.ok([curve, line].includes(Number(limit(pid, 'cpu.weight'))), limit(pid, 'cpu.weight'));
}

/** The pid of a container's first process, which only the verbose status has; over ctr it is simpler. */
function pidOf({ setting }: Containerd, id: string): number {
  const lines = ok(setting.place, ['ctr', '--namespace', 'k8s.io', 'tasks', 'list']).split('\n');
  const line = lines.find((text) => text.startsWith(id));
  return Number(line!.trim().split(/ +/)[1]);
}

/** New limits, as the config's linux.resources has them. */
async function updateTask(box: Containerd, id: string, resources: unknown): Promise<void> {
  await box.tasks.call('Update', {
    container_id: id,
    resources: {
      type_url: 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources',
      value: new TextEncoder().encode(JSON.stringify(resources)),
    },
  });
}

interface Stats {
  readonly attributes: { readonly id: string };
  readonly cpu: { readonly usage_core_nano_seconds: { readonly value: number } };
  readonly memory: { readonly working_set_bytes: { readonly value: number } };
}

/** Whether the runtime under test can do it: `checkpoint` is the only command that not every one has. */
function hasCheckpoint({ setting }: Containerd): boolean {
  return call(setting.place, [setting.runtime.path, 'checkpoint', '--help']).code === 0;
}

const plain: readonly Omit<Case<Containerd>, 'vm'>[] = [
  {
    name: 'ctr run: memory, quota and shares',
    run(box) {
      const quota = ['--cpu-quota', '20000', '--cpu-period', '100000', '--cpu-shares', '512'];
      const { pid } = task(box, detach(box, ['--memory-limit', String(64 * MiB), ...quota]))!;
      assert.equal(limit(pid, 'memory.max'), String(64 * MiB));
      assert.equal(limit(pid, 'cpu.max'), '20000 100000');
      assertWeight(pid, 512);
    },
  },
  {
    name: 'ctr run --cpus',
    run(box) {
      const { pid } = task(box, detach(box, ['--cpus', '0.5']))!;
      assert.equal(limit(pid, 'cpu.max'), '50000 100000');
    },
  },
  {
    name: 'ctr run --device: nothing else is allowed',
    run(box) {
      const script =
        'mknod /mem c 1 1 && head -c 1 /mem; echo "code $?"; head -c 1 /dev/zero | wc -c; head -c 1 /dev/kmsg > /x';
      const { code, stdout, stderr } = run(
        box,
        ['sh', '-c', script],
        ['--device', '/dev/kmsg', '--cap-add', 'CAP_MKNOD', '--cap-add', 'CAP_SYSLOG'],
      );
      assert.deepEqual([code, stdout], [0, 'code 1\n1\n'], stderr);
      assert.match(stderr, /Operation not permitted/);
    },
  },
  {
    name: 'task update: memory, processors, processes',
    async run(box) {
      const id = detach(box, ['--memory-limit', String(64 * MiB)]);
      const { pid } = task(box, id)!;
      await updateTask(box, id, {
        memory: { limit: 96 * MiB },
        cpu: { quota: 30000, period: 100000, shares: 256, cpus: '0' },
        pids: { limit: 7 },
      });
      const names = ['memory.max', 'cpu.max', 'cpuset.cpus', 'pids.max'];
      assert.deepEqual(
        names.map((name) => limit(pid, name)),
        [String(96 * MiB), '30000 100000', '0', '7'],
      );
      assertWeight(pid, 256);
      assert.equal(exec(box, id, ['true']).code, 0);
    },
  },
  {
    name: 'task update: a limit that is refused',
    async run(box) {
      const id = detach(box);
      await assert.rejects(updateTask(box, id, { cpu: { cpus: '4000' } }));
      assert.equal(task(box, id)!.status, 'RUNNING');
    },
  },
  {
    name: 'OOM: the event, and the exit code',
    async run(box) {
      let id = '';
      const topics = withEvents(box, 'tasks/oom', () => {
        id = detach(
          box,
          ['--memory-limit', String(16 * MiB)],
          ['sh', '-c', `${GREEDY.join(' ')}; exec sleep 600`],
        );
      });
      assert.ok(topics.includes('/tasks/oom'));
      ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      assert.equal(await exitStatus(box, id), 137);
    },
  },
  {
    name: 'ctr tasks metrics: memory, processors, processes',
    run(box) {
      const id = detach(box, ['--memory-limit', String(64 * MiB)], ['sh', '-c', 'while :; do :; done']);
      waitFor('processor time', () => {
        const metrics = JSON.parse(ctrOk(box, ['tasks', 'metrics', '--format', 'json', id]));
        const { cpu, memory, pids } = metrics;
        return (
          cpu?.usage_usec > 0 && memory?.usage_limit === 64 * MiB && memory.usage > 0 && pids?.current === 1
        );
      });
    },
  },
  {
    name: 'ctr run --runc-systemd-cgroup',
    async run(box) {
      const id = newId(box);
      const path = `system.slice:tests:${id}`;
      const flags = ['--runc-systemd-cgroup', '--cgroup', path, '--memory-limit', String(64 * MiB), '-d'];
      ctrOk(box, runArguments(box, flags, id, ['sleep', '600']));
      const { pid } = task(box, id)!;
      assert.equal(cgroupOf(pid), `/system.slice/tests-${id}.scope`);
      assert.equal(limit(pid, 'memory.max'), String(64 * MiB));
      const shown = ok(box.setting.place, [
        'systemctl',
        'show',
        '-p',
        'ActiveState,MemoryMax',
        `tests-${id}.scope`,
      ]);
      assert.match(shown, new RegExp(`MemoryMax=${64 * MiB}`));
      assert.match(shown, /ActiveState=active/);
      ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      assert.equal(await exitStatus(box, id), 137);
      waitFor('the unit is gone', () => !existsSync(`/sys/fs/cgroup/system.slice/tests-${id}.scope`));
    },
  },
  {
    name: 'CRI container: limits',
    async run(box) {
      const resources = {
        cpu_period: 100000,
        cpu_quota: 25000,
        cpu_shares: 512,
        memory_limit_in_bytes: 64 * MiB,
        cpuset_cpus: '0',
        unified: { 'pids.max': '99' },
      };
      const pod = await runPod(box);
      const id = await runContainer(box, pod, undefined, { resources });
      const names = ['cpu.max', 'memory.max', 'cpuset.cpus', 'pids.max'];
      // The container sees them too.
      const text = await execOutput(box, id, `cd /sys/fs/cgroup && cat ${names.join(' ')}`);
      assert.deepEqual(text.trim().split('\n'), ['25000 100000', String(64 * MiB), '0', '99']);
    },
  },
  {
    name: 'CRI pod: its cgroup is the parent of its containers',
    async run(box) {
      const pod = await runPod(box);
      const id = await runContainer(box, pod);
      const parent = `/${box.namespace}/${(pod.config.metadata as { name: string }).name}`;
      assert.equal(cgroupOf(pidOf(box, pod.id)), `${parent}/${pod.id}`);
      assert.equal(cgroupOf(pidOf(box, id)), `${parent}/${id}`);
    },
  },
  {
    name: 'CRI UpdateContainerResources',
    async run(box) {
      const resources = { memory_limit_in_bytes: 64 * MiB, cpu_shares: 512 };
      const id = await runContainer(box, await runPod(box), undefined, { resources });
      const linux = {
        memory_limit_in_bytes: 96 * MiB,
        cpu_shares: 1024,
        cpu_quota: 40000,
        cpu_period: 100000,
      };
      await box.cri.call('UpdateContainerResources', { container_id: id, linux });
      const pid = pidOf(box, id);
      assert.equal(limit(pid, 'memory.max'), String(96 * MiB));
      assert.equal(limit(pid, 'cpu.max'), '40000 100000');
      assertWeight(pid, 1024);
    },
  },
  {
    name: 'CRI ContainerStats, ListContainerStats',
    async run(box) {
      const resources = { memory_limit_in_bytes: 64 * MiB };
      const pod = await runPod(box);
      const id = await runContainer(box, pod, ['sh', '-c', 'while :; do :; done'], { resources });
      await waitUntil('usage', async () => {
        const { stats } = await box.cri.call<{ stats: Stats }>('ContainerStats', { container_id: id });
        return stats.cpu.usage_core_nano_seconds.value > 0 && stats.memory.working_set_bytes.value > 0;
      });
      const { stats } = await box.cri.call<{ stats: Stats[] }>('ListContainerStats');
      assert.deepEqual(
        stats.map(({ attributes }) => attributes.id),
        [id],
      );
    },
  },
  {
    name: 'CRI container: OOMKilled',
    async run(box) {
      const resources = { memory_limit_in_bytes: 16 * MiB };
      const id = await runContainer(box, await runPod(box), GREEDY, { resources });
      const { exit_code } = await waitForExit(box, id);
      assert.equal(exit_code, 137);
      await waitUntil('the reason', async () => (await containerStatus(box, id)).reason === 'OOMKilled');
    },
  },
  {
    name: 'CRI pod: cgroups by systemd',
    async run(box) {
      const slice = `tests-${box.count}.slice`;
      const linux = { cgroup_parent: `/tests.slice/${slice}` };
      const pod: Pod = await runPod(box, { handler: 'tested-systemd', linux });
      const resources = { memory_limit_in_bytes: 64 * MiB, cpu_quota: 50000, cpu_period: 100000 };
      const id = await runContainer(box, pod, undefined, { resources });
      const pid = pidOf(box, id);
      const scope = `cri-containerd-${id}.scope`;
      assert.equal(cgroupOf(pid), `/tests.slice/${slice}/${scope}`);
      assert.equal(limit(pid, 'memory.max'), String(64 * MiB));
      const linuxUpdate = { memory_limit_in_bytes: 96 * MiB };
      await box.cri.call('UpdateContainerResources', { container_id: id, linux: linuxUpdate });
      assert.equal(limit(pid, 'memory.max'), String(96 * MiB));
      assert.match(
        ok(box.setting.place, ['systemctl', 'show', '-p', 'MemoryMax', scope]),
        new RegExp(`=${96 * MiB}`),
      );
      await stopPod(box, pod);
      await removePod(box, pod);
      assert.equal(existsSync(`/sys/fs/cgroup/tests.slice/${slice}/${scope}`), false);
    },
  },
  {
    name: 'ctr tasks checkpoint, containers restore',
    async run(box) {
      if (!hasCheckpoint(box)) throw new Skip('the runtime has no checkpoint command');
      const script = 'i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.1; done';
      const id = detach(box, ['--null-io'], ['sh', '-c', script]);
      const count = (of: string) => {
        const file = `/proc/${task(box, of)?.pid}/root/count`;
        return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
      };
      waitFor('it counts', () => count(id) > 3);
      ctrOk(box, ['containers', 'checkpoint', '--task', '--rw', id, `${id}-image`]);
      const before = count(id);
      ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      assert.equal(await exitStatus(box, id), 137);
      ctrOk(box, ['containers', 'delete', id]);
      // It stays in the foreground.
      const again = newId(box);
      const [file = '', ...args] = ctrCommand(box, [
        'containers',
        'restore',
        '--live',
        '--rw',
        again,
        `${id}-image`,
      ]);
      const said = join(box.setting.folder, `${again}.log`);
      const log = openSync(said, 'w');
      const restore = spawn(file, args, { stdio: ['ignore', log, log] });
      closeSync(log);
      const ended = () => / Z /.test(readFileSync(`/proc/${restore.pid}/stat`, 'latin1'));
      try {
        waitFor('it counts on', () => {
          if (count(again) > before) return true;
          if (ended()) throw new Error(`ctr containers restore: ${readFileSync(said, 'utf8')}`);
          return false;
        });
        ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', again]);
      } finally {
        restore.kill('SIGKILL');
      }
    },
  },
];

export const limitCases: readonly Case<Containerd>[] = plain.map((one) => ({ ...one, vm: true }));
