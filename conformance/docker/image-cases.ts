/** `docker build`, by the classic builder (which asks the default runtime) and by BuildKit (which calls runc). */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../engines/engine.ts';
import type { Box, DockerCase } from './box.ts';

const DOCKERFILE = `
FROM scratch AS base
ADD rootfs.tar /
ENV PATH=/bin
RUN echo first > /made && mkdir /owned && chown 1000:1000 /owned
RUN ["sh", "-c", "cat /made; echo second >> /made"]
FROM base
USER 1000
WORKDIR /owned
RUN id -u > who && ! touch /forbidden
COPY --from=base /made /owned/copied
HEALTHCHECK --interval=1s CMD true
CMD cat /owned/copied who
`;

/** Builds and runs; BuildKit's progress goes to standard error. */
function build({ setting, daemon }: Box, buildKit: boolean, dockerfile: string) {
  const folder = join(setting.folder, 'context');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  copyFileSync(setting.image.rootfs, join(folder, 'rootfs.tar'));
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  const command = daemon.command(['build', '--no-cache', '--tag', 'built', folder]);
  const result = call(setting.place, ['env', `DOCKER_BUILDKIT=${Number(buildKit)}`, ...command]);
  return { ...result, run: () => daemon.ok(['run', '--rm', 'built']) };
}

export const imageCases: readonly DockerCase[] = [
  ...[false, true].flatMap((buildKit): DockerCase[] => {
    const which = buildKit ? 'build with BuildKit' : 'build with the classic builder';
    return [
      {
        name: which,
        ...(buildKit ? {} : { vm: 'too' }),
        run(box) {
          const { code, stdout, stderr, run } = build(box, buildKit, DOCKERFILE);
          assert.equal(code, 0, stderr + stdout);
          assert.equal(run(), 'first\nsecond\n1000\n');
        },
      },
      {
        name: `${which}: a step that fails`,
        run(box) {
          const { code, stdout, stderr } = build(
            box,
            buildKit,
            'FROM scratch\nADD rootfs.tar /\nENV PATH=/bin\nRUN exit 33\n',
          );
          assert.notEqual(code, 0);
          assert.match(stdout + stderr, /33/);
        },
      },
    ];
  }),
  {
    name: 'build BuildKit: RUN --mount',
    run(box) {
      const dockerfile = `
FROM scratch
ADD rootfs.tar /
ENV PATH=/bin
RUN --mount=type=tmpfs,target=/fast --mount=type=cache,target=/cache touch /fast/x /cache/y
RUN --mount=type=bind,target=/context cat /context/Dockerfile > /copy
CMD ls -A /fast /cache; grep -c ^FROM /copy
`;
      const { code, stdout, stderr, run } = build(box, true, dockerfile);
      assert.equal(code, 0, stderr + stdout);
      assert.equal(run(), '/cache:\n\n/fast:\n1\n');
    },
  },
];
