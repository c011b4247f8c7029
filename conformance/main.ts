/**
 * `npm run conformance [-- PART ARGUMENT...]`: what proves runts against others. Without a part: the specification's
 * requirements and their tests.
 *
 * @module
 */

/** A part's module exports `run(args)`, which gives the exit code. Loaded when asked for. */
const PARTS: Readonly<
  Record<string, { load: () => Promise<{ run(args: string[]): Promise<number> | number }>; help: string }>
> = {
  spec: {
    load: () => import('./spec/main.ts'),
    help: 'every MUST and SHOULD of runtime-spec 1.3.0 has a test',
  },
  'runtime-tools': {
    load: () => import('./runtime-tools/main.ts'),
    help: 'DIR [--vm]: the OCI validation suite, side by side with runc and crun',
  },
  'side-by-side': {
    load: () => import('./side-by-side/main.ts'),
    help: '[--seed S] [--runs N]: random configs under runts, runc and crun',
  },
  containerd: {
    load: () => import('./containerd/main.ts'),
    help: '[--vm]: ctr and the CRI plugin, side by side with runc',
  },
  docker: {
    load: () => import('./docker/main.ts'),
    help: '[--vm]: Docker with runts as its default runtime, side by side with runc',
  },
  podman: {
    load: () => import('./podman/main.ts'),
    help: '[--vm]: Podman as root and as an ordinary user, side by side with runc and crun',
  },
  buildah: {
    load: () => import('./buildah/main.ts'),
    help: '[--vm]: Buildah, likewise',
  },
  arm64: {
    load: () => import('./arm64/main.ts'),
    help: '[--only CASE]: containers on an arm64 kernel, in emulation',
  },
  install: {
    load: () => import('./install.ts'),
    help: 'installs engines, other runtimes and QEMU, where that is possible',
  },
  results: {
    load: () => import('./results.ts'),
    help: 'makes results.md anew of what the parts have kept',
  },
};

const [name = 'spec', ...args] = process.argv.slice(2);
const part = PARTS[name];
if (part === undefined) {
  const lines = Object.entries(PARTS).map(([key, { help }]) => `  ${key.padEnd(16)}${help}`);
  process.stderr.write(`usage: npm run conformance [-- PART ARGUMENT...]\n\n${lines.join('\n')}\n`);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await (await part.load()).run(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

export {};
