/**
 * Cases of CRI's streams.
 *
 * @module
 */
import assert from 'node:assert/strict';
import type { Case } from '../engines/engine.ts';
import { containerStatus, runContainer, runPod, waitForExit, waitUntil } from './cri.ts';
import type { Containerd } from './daemon.ts';
import { CHANNEL, openStream, type Stream } from './stream.ts';

async function open(
  box: Containerd,
  method: 'Exec' | 'Attach',
  container_id: string,
  request: Record<string, unknown>,
): Promise<Stream> {
  const { url } = await box.cri.call<{ url: string }>(method, { container_id, stdout: true, ...request });
  return openStream(url);
}

export const streamCases: readonly Case<Containerd>[] = [
  {
    name: 'CRI Exec: input, output and exit code, as kubectl exec',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      const cmd = ['sh', '-c', 'read word; echo "got $word"; echo err >&2; exit 7'];
      const stream = await open(box, 'Exec', id, { cmd, stdin: true, stderr: true });
      stream.send(CHANNEL.stdin, 'hello\n');
      await stream.ended;
      assert.equal(stream.text(CHANNEL.stdout), 'got hello\n');
      assert.equal(stream.text(CHANNEL.stderr), 'err\n');
      const status = JSON.parse(stream.text(CHANNEL.status));
      assert.equal(status.details.causes[0].message, '7', JSON.stringify(status));
    },
  },
  {
    name: 'CRI Exec: much output',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      const stream = await open(box, 'Exec', id, { cmd: ['sh', '-c', 'yes 0123456789 | head -n 50000'] });
      await stream.ended;
      assert.equal(stream.text(CHANNEL.stdout).length, 550_000);
      assert.equal(JSON.parse(stream.text(CHANNEL.status)).status, 'Success');
    },
  },
  {
    name: 'CRI Exec: a terminal that is resized, as kubectl exec -it',
    async run(box) {
      const id = await runContainer(box, await runPod(box));
      const stream = await open(box, 'Exec', id, { cmd: ['sh'], stdin: true, tty: true });
      stream.send(CHANNEL.resize, JSON.stringify({ Width: 91, Height: 31 }));
      stream.send(CHANNEL.stdin, 'until stty size | grep "^31 91"; do sleep 0.1; done; tty; exit\n');
      await stream.ended;
      assert.match(stream.text(CHANNEL.stdout), /^31 91\r\n\/dev\/pts\/\d\r$/m);
    },
  },
  {
    name: 'CRI Attach: as kubectl attach -i',
    async run(box) {
      const config = { stdin: true, stdin_once: true };
      const command = ['sh', '-c', 'read word; echo "got $word"; read word; exit 6'];
      const id = await runContainer(box, await runPod(box), command, { config });
      const stream = await open(box, 'Attach', id, { stdin: true, stderr: true });
      stream.send(CHANNEL.stdin, 'hello\n');
      await waitUntil('the answer', () => stream.text(CHANNEL.stdout) === 'got hello\n');
      assert.equal((await containerStatus(box, id)).state, 'CONTAINER_RUNNING');
      stream.send(CHANNEL.stdin, 'end\n');
      assert.equal((await waitForExit(box, id)).exit_code, 6);
      stream.close();
    },
  },
];
