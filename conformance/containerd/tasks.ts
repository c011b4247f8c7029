/**
 * Cases of ctr with containers that run in the background.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type Case, ok, waitFor } from '../engines/engine.ts';
import {
  detach,
  exec,
  execArguments,
  exitStatus,
  newId,
  onTty,
  runArguments,
  task,
  waitForStatus,
} from './ctr.ts';
import { type Containerd, ctr, ctrOk, restartContainerd, withEvents } from './daemon.ts';

/** A shell that ends with 5 when it is asked to terminate. */
const POLITE = ['sh', '-c', 'trap "exit 5" TERM; touch /ready; while :; do sleep 0.1; done'];

/** A container of {@link POLITE}, which has set its trap. */
function politeContainer(box: Containerd): { id: string; pid: number } {
  const id = detach(box, [], POLITE);
  const { pid } = task(box, id)!;
  waitFor('the trap', () => existsSync(`/proc/${pid}/root/ready`));
  return { id, pid };
}

/** The cgroup of a process, from the hierarchy's root. */
export function cgroupOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8').match(/^0::(.*)$/m)![1]!;
}

export const taskCases: readonly Case<Containerd>[] = [
  {
    name: 'ctr run -d: runs, is stopped, is deleted',
    async run(box) {
      const id = detach(box);
      const { pid, status } = task(box, id)!;
      assert.equal(status, 'RUNNING');
      assert.ok(existsSync(`/proc/${pid}`));
      assert.equal(cgroupOf(pid).endsWith(`/${box.namespace}/${id}`), true, cgroupOf(pid));
      const cgroup = `/sys/fs/cgroup/${box.namespace}/${id}`;
      assert.ok(existsSync(cgroup));
      ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      assert.equal(await exitStatus(box, id), 137);
      assert.equal(task(box, id), undefined);
      assert.equal(existsSync(cgroup), false);
      ctrOk(box, ['containers', 'delete', id]);
    },
  },
  {
    name: 'ctr containers create, tasks start: the runtime is the runc of PATH',
    run(box) {
      const id = newId(box);
      ctrOk(box, ['containers', 'create', box.setting.image.name, id, 'echo', 'started']);
      assert.equal(ctrOk(box, ['tasks', 'start', id]), 'started\n');
    },
  },
  {
    name: 'ctr tasks kill: a signal that is handled',
    async run(box) {
      const { id } = politeContainer(box);
      ctrOk(box, ['tasks', 'kill', '--signal', 'TERM', id]);
      assert.equal(await exitStatus(box, id), 5);
    },
  },
  {
    name: 'ctr tasks kill --all',
    async run(box) {
      const { id } = politeContainer(box);
      ctrOk(box, ['tasks', 'kill', '--all', '--signal', 'KILL', id]);
      assert.equal(await exitStatus(box, id), 137);
    },
  },
  {
    name: 'ctr tasks kill: a stopped task',
    run(box) {
      const id = detach(box, [], ['true']);
      waitForStatus(box, id, 'STOPPED');
      const { code, stderr } = ctr(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      assert.notEqual(code, 0);
      assert.match(stderr, /process already finished|not found/);
    },
  },
  {
    name: 'ctr tasks delete --force: a running task',
    run(box) {
      const id = detach(box);
      const { pid } = task(box, id)!;
      ctr(box, ['tasks', 'delete', '--force', id]);
      assert.equal(task(box, id), undefined);
      assert.equal(existsSync(`/proc/${pid}`), false);
    },
  },
  {
    name: 'ctr tasks delete: a running task is refused',
    run(box) {
      const id = detach(box);
      assert.notEqual(ctr(box, ['tasks', 'delete', id]).code, 0);
      assert.equal(task(box, id)!.status, 'RUNNING');
    },
  },
  {
    name: 'ctr tasks exec: output, exit code, standard input',
    run(box) {
      const id = detach(box);
      const { code, stdout, stderr } = exec(box, id, ['sh', '-c', 'echo out; echo err >&2; exit 9']);
      assert.deepEqual([code, stdout, stderr], [9, 'out\n', 'err\n']);
      assert.equal(exec(box, id, ['cat'], [], 'typed\n').stdout, 'typed\n');
    },
  },
  {
    name: 'ctr tasks exec: user and working directory',
    run(box) {
      const id = detach(box);
      const { code, stdout, stderr } = exec(
        box,
        id,
        ['sh', '-c', 'id -u; id -g; pwd'],
        ['--user', '1000:1000', '--cwd', '/usr'],
      );
      assert.deepEqual([code, stdout], [0, '1000\n1000\n/usr\n'], stderr);
    },
  },
  {
    name: 'ctr tasks exec -t',
    run(box) {
      const id = detach(box);
      const { code, stdout } = onTty(
        box,
        execArguments(
          box,
          id,
          ['sh', '-c', 'tty && until stty size 2>/dev/null | grep .; do sleep 0.1; done; exit 4'],
          ['-t'],
        ),
      );
      assert.equal(code, 4, stdout);
      assert.match(stdout, /\/dev\/pts\/\d\n(.*\n)*30 90\n/);
    },
  },
  {
    name: 'ctr tasks exec -d',
    run(box) {
      const id = detach(box);
      const args = execArguments(box, id, ['sh', '-c', 'echo $$ > /pid; exec sleep 600'], ['-d']);
      ctrOk(box, args);
      const { pid } = task(box, id)!;
      waitFor('the process', () => existsSync(`/proc/${pid}/root/pid`));
      assert.equal(ctrOk(box, ['tasks', 'ps', id]).trim().split('\n').length, 3);
    },
  },
  {
    name: 'ctr tasks exec: a command that is not there',
    run(box) {
      const { code, stderr } = exec(box, detach(box), ['absent']);
      assert.notEqual(code, 0);
      assert.match(stderr, /absent.*(not found|no such file)/is);
    },
  },
  {
    name: 'ctr tasks exec: its process is killed by its id',
    run(box) {
      const id = detach(box);
      ctrOk(box, ['tasks', 'exec', '-d', '--exec-id', 'other', id, 'sleep', '600']);
      ctrOk(box, ['tasks', 'kill', '--exec-id', 'other', '--signal', 'KILL', id]);
      waitFor('one process', () => ctrOk(box, ['tasks', 'ps', id]).trim().split('\n').length === 2);
      assert.equal(task(box, id)!.status, 'RUNNING');
    },
  },
  {
    name: 'ctr tasks pause, resume',
    run(box) {
      const id = detach(box, [], ['sh', '-c', 'while :; do echo x >> /log; sleep 0.02; done']);
      const { pid } = task(box, id)!;
      const size = () => {
        const file = `/proc/${pid}/root/log`;
        return existsSync(file) ? readFileSync(file).length : 0;
      };
      waitFor('the first line', () => size() > 0);
      ctrOk(box, ['tasks', 'pause', id]);
      assert.equal(task(box, id)!.status, 'PAUSED');
      assert.match(readFileSync(`/sys/fs/cgroup${cgroupOf(pid)}/cgroup.events`, 'utf8'), /^frozen 1$/m);
      const { code } = exec(box, id, ['true']);
      assert.notEqual(code, 0, 'exec into a paused container');
      const before = size();
      ctrOk(box, ['tasks', 'resume', id]);
      assert.equal(task(box, id)!.status, 'RUNNING');
      waitFor('further lines', () => size() > before);
    },
  },
  {
    name: 'ctr tasks kill: a paused task dies once it is resumed',
    async run(box) {
      const id = detach(box);
      ctrOk(box, ['tasks', 'pause', id]);
      ctr(box, ['tasks', 'kill', '--signal', 'KILL', id]);
      ctr(box, ['tasks', 'resume', id]);
      assert.equal(await exitStatus(box, id), 137);
    },
  },
  {
    name: 'ctr tasks ps',
    run(box) {
      const id = detach(box, [], ['sh', '-c', 'sleep 600 & sleep 600 & wait']);
      const { pid } = task(box, id)!;
      const pids = waitFor('three processes', () => {
        const lines = ctrOk(box, ['tasks', 'ps', id]).trim().split('\n').slice(1);
        return lines.length === 3 && lines.map((line) => Number(line.split(' ')[0]));
      });
      assert.ok(pids.includes(pid));
    },
  },
  {
    name: 'ctr tasks attach',
    run(box) {
      const id = newId(box);
      assert.equal(onTty(box, runArguments(box, ['-t', '-d'], id, ['sh'])).code, 0);
      const { code, stdout } = onTty(box, ['tasks', 'attach', id], 'echo sum $((40 + 2)); exit 8\n');
      assert.equal(code, 8, stdout);
      assert.match(stdout, /sum 42/);
    },
  },
  {
    name: 'ctr events: create, start, exec, pause, exit, delete',
    run(box) {
      const topics = withEvents(box, 'tasks/delete', () => {
        const id = detach(box);
        exec(box, id, ['true']);
        ctrOk(box, ['tasks', 'pause', id]);
        ctrOk(box, ['tasks', 'resume', id]);
        ctrOk(box, ['tasks', 'kill', '--signal', 'KILL', id]);
        waitForStatus(box, id, 'STOPPED');
        ctrOk(box, ['tasks', 'delete', id]);
      });
      const expected = 'create start exec-added exec-started exit paused resumed exit delete';
      assert.equal(topics.map((topic) => topic.replace('/tasks/', '')).join(' '), expected);
    },
  },
  {
    name: 'ctr snapshots: what a container wrote stays until it is deleted',
    run(box) {
      const id = detach(box, [], ['sh', '-c', 'echo kept > /kept']);
      waitForStatus(box, id, 'STOPPED');
      ctrOk(box, ['tasks', 'delete', id]);
      assert.match(ctrOk(box, ['snapshots', 'list']), new RegExp(`^${id} .*Active`, 'm'));
      ctrOk(box, ['snapshots', 'commit', `${id}-kept`, id]);
      const target = `${box.setting.folder}/view`;
      ok(box.setting.place, ['mkdir', '-p', target]);
      const mount = ctrOk(box, ['snapshots', 'view', '--target', target, `${id}-view`, `${id}-kept`]);
      assert.equal(
        ok(box.setting.place, ['sh', '-c', `${mount}\ncat ${target}/kept; umount ${target}`]),
        'kept\n',
      );
      for (const name of [`${id}-view`, `${id}-kept`]) ctrOk(box, ['snapshots', 'delete', name]);
      ctrOk(box, ['containers', 'delete', id]);
      assert.doesNotMatch(ctrOk(box, ['snapshots', 'list']), new RegExp(id));
    },
  },
  {
    name: 'containerd is killed and started anew: the container goes on',
    async run(box) {
      const { id, pid } = politeContainer(box);
      restartContainerd(box);
      assert.deepEqual(task(box, id), { pid, status: 'RUNNING' });
      assert.equal(exec(box, id, ['echo', 'still']).stdout, 'still\n');
      ctrOk(box, ['tasks', 'kill', '--signal', 'TERM', id]);
      assert.equal(await exitStatus(box, id), 5);
    },
  },
  {
    name: 'the shim is killed: containerd cleans up with the runtime',
    run(box) {
      const id = detach(box);
      const { pid } = task(box, id)!;
      const shim = Number(
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[1],
      );
      process.kill(shim, 'SIGKILL');
      waitFor(
        'the container is gone',
        () => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z'),
      );
      waitFor('the task is gone', () => (task(box, id)?.status ?? 'STOPPED') === 'STOPPED');
      const root = `/run/containerd/runc/${box.namespace}/${id}`;
      waitFor('the state is gone', () => !existsSync(root));
    },
  },
  {
    name: 'the state lies where containerd asks for it',
    run(box) {
      const id = detach(box);
      const state = JSON.parse(
        ok(box.setting.place, [
          box.setting.runtime.path,
          '--root',
          `/run/containerd/runc/${box.namespace}`,
          'state',
          id,
        ]),
      );
      assert.deepEqual([state.id, state.status, state.pid], [id, 'running', task(box, id)!.pid]);
    },
  },
];
