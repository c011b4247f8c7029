/** A choice of the cases, as all of them take minutes: `npm run conformance -- buildah`. */

import { testEngine } from '../engines/test.ts';
import { buildah } from './engine.ts';

const CHOSEN = [
  'run: output / environment / exit code',
  'run: standard input / a terminal',
  'build: RUN / ENV / ARG / WORKDIR / USER / COPY',
  'build: RUN --mount',
];

const isChosen = (name: string): boolean => CHOSEN.includes(name.replace(/^rootless: /, ''));

testEngine({ ...buildah, cases: buildah.cases.filter(({ name }) => isChosen(name)) });
