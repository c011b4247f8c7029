/**
 * Cases of CRI with containers.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, ok } from '../engines/engine.ts';
import {
  containerStatus,
  createContainer,
  execOutput,
  execSync,
  logLines,
  podOutput,
  podStatus,
  runContainer,
  runPod,
  startContainer,
  stopContainer,
  waitForExit,
  waitUntil,
} from './cri.ts';
import { type Containerd, restartContainerd } from './daemon.ts';

const withTrap = (action: string) => [
  'sh',
  '-c',
  `trap "${action}" TERM; touch /ready; while :; do sleep 0.1; done`,
];

/** Ends with 5 when it is asked to terminate. */
const POLITE = withTrap('exit 5');

/** Has to be killed. */
const STUBBORN = withTrap('');

/** Until the container has set its trap. */
async function waitForReady(box: Containerd, id: string): Promise<void> {
  await waitUntil('the trap', async () => (await execSync(box, id, ['test', '-e', '/ready'])).code === 0);
}

export const containerCases: readonly Case<Containerd>[] = [
  {
    name: 'CRI CreateContainer, StartContainer: states, exit code, log',
    async run(box) {
      const pod = await runPod(box);
      const id = await createContainer(box, pod, ['sh', '-c', 'echo out; echo err >&2; exit 3']);
      assert.equal((await containerStatus(box, id)).state, 'CONTAINER_CREATED');
      await startContainer(box, id);
      const { exit_code, reason } = await waitForExit(box, id);
      assert.deepEqual([exit_code, reason], [3, 'Error']);
      assert.deepEqual((await logLines(box, id, ({ length }) => length === 2)).sort(), [
        'stderr F err',
        'stdout F out',
      ]);
      await box.cri.call('RemoveContainer', { container_id: id });
      await assert.rejects(containerStatus(box, id), /not found/);
    },
  },
  {
    name: 'CRI StartContainer: a command that is not there',
    async run(box) {
      const pod = await runPod(box);
      const id = await createContainer(box, pod, ['absent']);
      await assert.rejects(startContainer(box, id), /absent.*(not found|no such file)/is);
      const { state, reason, exit_code } = await containerStatus(box, id);
      assert.deepEqual([state, reason, exit_code], ['CONTAINER_EXITED', 'StartError', 128]);
    },
  },
  {
    name: 'CRI container: environment, working directory, arguments',
    async run(box) {
      const pod = await runPod(box);
      const config = { envs: [{ key: 'A', value: 'b c' }], working_dir: '/usr', args: ['one', 'two'] };
      const id = await runContainer(box, pod, ['sh', '-c', 'echo "$A|$FROM_IMAGE|$PWD|$0 $1|$HOSTNAME"'], {
        config,
      });
      await waitForExit(box, id);
      assert.deepEqual(await logLines(box, id, ({ length }) => length > 0), [
        `stdout F b c|yes|/usr|one two|${pod.config.hostname}`,
      ]);
    },
  },
  {
    name: 'CRI ExecSync: output and exit code',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      const result = await execSync(box, id, ['sh', '-c', 'echo out; echo err >&2; exit 5']);
      assert.deepEqual(result, { code: 5, stdout: 'out\n', stderr: 'err\n' });
    },
  },
  {
    name: 'CRI ExecSync: much output, several at a time',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      const results = await Promise.all(
        Array.from({ length: 8 }, () => execSync(box, id, ['sh', '-c', 'yes 0123456789 | head -n 20000'])),
      );
      for (const { code, stdout } of results) assert.deepEqual([code, stdout.length], [0, 220_000]);
    },
  },
  {
    name: 'CRI ExecSync: a time limit',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      await assert.rejects(execSync(box, id, ['sleep', '603'], 1), /timeout|deadline/i);
      await waitUntil('the command is gone', async () => {
        return !(await execOutput(box, id, 'ps -o args')).includes('sleep 603');
      });
    },
  },
  {
    name: 'CRI ExecSync: a command that is not there',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      await assert.rejects(execSync(box, id, ['absent']), /absent.*(not found|no such file)/is);
    },
  },
  {
    name: 'CRI StopContainer: the signal is handled',
    async run(box) {
      const id = await runContainer(box, await runPod(box), POLITE);
      await waitForReady(box, id);
      await stopContainer(box, id, 60);
      const { state, exit_code } = await containerStatus(box, id);
      assert.deepEqual([state, exit_code], ['CONTAINER_EXITED', 5]);
    },
  },
  {
    name: 'CRI StopContainer: killed when it does not stop in time',
    async run(box) {
      const id = await runContainer(box, await runPod(box), STUBBORN);
      await waitForReady(box, id);
      await stopContainer(box, id, 1);
      const { state, exit_code } = await containerStatus(box, id);
      assert.deepEqual([state, exit_code], ['CONTAINER_EXITED', 137]);
      await stopContainer(box, id, 1);
    },
  },
  {
    name: 'CRI RemoveContainer: one that runs',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      await box.cri.call('RemoveContainer', { container_id: id });
      await assert.rejects(containerStatus(box, id), /not found/);
    },
  },
  {
    name: 'CRI container: another attempt after the first has ended',
    async run(box) {
      const pod = await runPod(box);
      for (const attempt of [0, 1, 2]) {
        const config = { metadata: { name: 'again', attempt }, log_path: `again/${attempt}.log` };
        mkdirSync(join(pod.logs, 'again'), { recursive: true });
        const text = await podOutput(box, pod, 'ls /mark 2>/dev/null; touch /mark; echo fresh', { config });
        assert.equal(text, 'fresh\n');
      }
      assert.equal((await podStatus(box, pod)).state, 'SANDBOX_READY');
    },
  },
  {
    name: 'CRI container: user and groups by number',
    async run(box) {
      const security = {
        run_as_user: { value: 1000 },
        run_as_group: { value: 2000 },
        supplemental_groups: [3000, 4000],
      };
      assert.equal(
        await podOutput(box, await runPod(box), 'id -u; id -g; grep Groups /proc/self/status', { security }),
        '1000\n2000\nGroups:\t2000 3000 4000\n',
      );
    },
  },
  {
    name: 'CRI container: user by name',
    async run(box) {
      const text = await podOutput(box, await runPod(box), 'id -u; id -g', {
        security: { run_as_username: 'user' },
      });
      assert.equal(text, '1000\n1000\n');
    },
  },
  {
    name: 'CRI container: capabilities, no new privileges',
    async run(box) {
      const security = {
        capabilities: { add_capabilities: ['NET_ADMIN'], drop_capabilities: ['ALL'] },
        no_new_privs: true,
      };
      const text = await podOutput(box, await runPod(box), 'cat /proc/self/status', { security });
      // CAP_NET_ADMIN is 12.
      assert.match(text, /^CapEff:\t0000000000001000$/m);
      assert.match(text, /^CapBnd:\t0000000000001000$/m);
      assert.match(text, /^NoNewPrivs:\t1$/m);
    },
  },
  {
    name: 'CRI container: seccomp, the runtime default and unconfined',
    async run(box) {
      const pod = await runPod(box, { security: { seccomp: { profile_type: 'RuntimeDefault' } } });
      for (const [profile_type, mode] of [
        ['RuntimeDefault', 2],
        ['Unconfined', 0],
      ] as const) {
        const security = { seccomp: { profile_type } };
        const text = await podOutput(box, pod, 'grep Seccomp: /proc/self/status', { security });
        assert.equal(text, `Seccomp:\t${mode}\n`);
      }
    },
  },
  {
    name: 'CRI container: seccomp, a profile of the node',
    async run(box) {
      const file = join(box.setting.folder, 'node-seccomp.json');
      const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 };
      writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
      const security = { seccomp: { profile_type: 'Localhost', localhost_ref: file } };
      const text = await podOutput(box, await runPod(box), 'mkdir /x 2>&1; true', { security });
      assert.match(text, /No space left/);
    },
  },
  {
    name: 'CRI container: read-only root',
    async run(box) {
      const security = { readonly_rootfs: true };
      const text = await podOutput(box, await runPod(box), 'touch /x 2>&1; echo > /dev/shm/x && echo shm', {
        security,
      });
      assert.match(text, /Read-only(.|\n)*shm/);
    },
  },
  {
    name: 'CRI container: masked and read-only paths',
    async run(box) {
      const security = { masked_paths: ['/proc/version', '/sys/kernel'], readonly_paths: ['/proc/sys'] };
      const script =
        'wc -c < /proc/version; ls /sys/kernel | wc -l; echo 1 2>&1 > /proc/sys/kernel/panic; true';
      const text = await podOutput(box, await runPod(box), `exec 2>&1; ${script}`, { security });
      assert.match(text, /^0\n0\n.*Read-only/);
    },
  },
  {
    name: 'CRI container: privileged',
    async run(box) {
      const pod = await runPod(box, { security: { privileged: true } });
      const script = 'grep CapEff /proc/self/status; mount -t tmpfs none /tmp && echo mounted; ls /dev/kmsg';
      const text = await podOutput(box, pod, script, { security: { privileged: true } });
      const own = readFileSync('/proc/self/status', 'utf8').match(/^CapEff:.*$/m)![0];
      assert.match(text, new RegExp(`^${own}\nmounted\n/dev/kmsg\n$`));
    },
  },
  {
    name: 'CRI container: mounts, read-write and read-only',
    async run(box) {
      const pod = await runPod(box);
      writeFileSync(join(pod.logs, 'file'), 'from the host\n');
      const mounts = [
        { container_path: '/data', host_path: pod.logs },
        { container_path: '/fixed/deep', host_path: pod.logs, readonly: true },
        { container_path: '/etc/one', host_path: join(pod.logs, 'file'), readonly: true },
      ];
      const script =
        'cat /etc/one; echo back > /data/answer; cat /fixed/deep/answer; touch /fixed/deep/x 2>&1; true';
      const text = await podOutput(box, pod, script, { config: { mounts } });
      assert.match(text, /^from the host\nback\n.*Read-only/);
    },
  },
  {
    name: 'CRI container: mount propagation in both directions',
    async run(box) {
      const { folder, place } = box.setting;
      const shared = join(folder, 'shared');
      const sh = (script: string) => ok(place, ['sh', '-ec', script, 'sh', shared]);
      sh('mkdir -p "$1"; mount -t tmpfs none "$1"; mount --make-shared "$1"; mkdir "$1/down" "$1/up"');
      try {
        const pod = await runPod(box, { security: { privileged: true } });
        const start = (propagation: string) => {
          const mounts = [{ container_path: '/shared', host_path: shared, propagation }];
          return runContainer(box, pod, undefined, { config: { mounts }, security: { privileged: true } });
        };
        const ids = [
          await start('PROPAGATION_PRIVATE'),
          await start('PROPAGATION_HOST_TO_CONTAINER'),
          await start('PROPAGATION_BIDIRECTIONAL'),
        ];
        sh('mount -t tmpfs none "$1/down"; touch "$1/down/seen"');
        const seen = await Promise.all(ids.map((id) => execOutput(box, id, 'ls /shared/down')));
        assert.deepEqual(seen, ['', 'seen\n', 'seen\n']);
        await execOutput(box, ids[2]!, 'mount -t tmpfs none /shared/up; touch /shared/up/back');
        assert.ok(existsSync(join(shared, 'up/back')));
      } finally {
        sh('umount -R "$1"');
      }
    },
  },
  {
    name: 'CRI container: devices',
    async run(box) {
      const devices = [{ container_path: '/dev/other', host_path: '/dev/kmsg', permissions: 'r' }];
      const text = await podOutput(box, await runPod(box), 'ls -l /dev/other', { config: { devices } });
      assert.match(text, /^crw.* 1, *11 .*\/dev\/other\n$/);
    },
  },
  {
    name: 'CRI container: a terminal',
    async run(box) {
      const id = await runContainer(box, await runPod(box), ['sh', '-c', 'tty; test -t 0 && echo terminal'], {
        config: { tty: true, stdin: true },
      });
      assert.equal((await waitForExit(box, id)).exit_code, 0);
      const lines = (await logLines(box, id, ({ length }) => length === 2)).map((line) => line.trim());
      assert.match(lines.join('\n'), /^stdout F \/dev\/(console|pts\/0)\nstdout F terminal$/);
    },
  },
  {
    name: 'CRI ReopenContainerLog',
    async run(box) {
      const script = 'while :; do echo line; sleep 0.05; done';
      const id = await runContainer(box, await runPod(box), ['sh', '-c', script]);
      const { log_path: file } = await containerStatus(box, id);
      const size = () => (existsSync(file) ? readFileSync(file).length : 0);
      await waitUntil('a line', () => size() > 0);
      renameSync(file, `${file}.1`);
      await box.cri.call('ReopenContainerLog', { container_id: id });
      await waitUntil('a line in the new file', () => size() > 0);
    },
  },
  {
    name: 'CRI container: oom_score_adj',
    async run(box) {
      const resources = { oom_score_adj: 500 };
      assert.equal(
        await podOutput(box, await runPod(box), 'cat /proc/self/oom_score_adj', { resources }),
        '500\n',
      );
    },
  },
  {
    name: 'CRI: containerd is killed and started anew',
    async run(box) {
      const pod = await runPod(box);
      const id = await runContainer(box, pod);
      restartContainerd(box);
      await waitUntil('CRI answers', async () => {
        try {
          return await containerStatus(box, id);
        } catch {
          return undefined; // The plugin comes up after the server.
        }
      });
      assert.equal((await podStatus(box, pod)).state, 'SANDBOX_READY');
      assert.equal((await containerStatus(box, id)).state, 'CONTAINER_RUNNING');
      assert.equal(await execOutput(box, id, 'echo still'), 'still\n');
      await stopContainer(box, id);
      assert.equal((await containerStatus(box, id)).exit_code, 137);
    },
  },
];
