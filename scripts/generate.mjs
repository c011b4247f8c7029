/**
 * Makes schemas/generated/ from the JSON Schemas in schemas/: TypeScript types (json-schema-to-typescript) and
 * validators (Ajv's standalone code), so that nothing is compiled when the program starts.
 *
 * Ajv's code is then made compact, because it is on the start path of a program that lives for a few
 * milliseconds: an error object and its bookkeeping (some 250 bytes for every keyword of the schema) become one
 * call `fail(path, allowed)`. The result is a third of the size and reports the same errors. What is replaced is
 * checked: the build fails when Ajv's output has a form that this file doesn't know.
 *
 * Usage: node scripts/generate.mjs [--force]. Does nothing when its inputs have not changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const schemaDir = fileURLToPath(new URL('../schemas/', import.meta.url));
const outDir = `${schemaDir}generated/`;
const outputs = ['config.d.ts', 'state.d.ts', 'features.d.ts', 'validate.mjs', 'validate.d.mts'];

/** Exported validators: function name to [schema, what the data is called in errors]. */
const validators = {
  validateConfig: 'config.schema.json',
  validateProcess: 'config-process.schema.json#/definitions/Process',
  validateResources: 'config-linux-resources.schema.json#/definitions/LinuxResources',
  validateState: 'state.schema.json',
  validateFeatures: 'features.schema.json',
};

/** Which schema files' definitions go into which file of types. */
const typeFiles = {
  'config.d.ts': {
    root: 'config.schema.json',
    files: (name) => name.startsWith('config'),
  },
  'state.d.ts': { root: 'state.schema.json', files: (name) => name === 'state.schema.json' },
  'features.d.ts': { root: 'features.schema.json', files: (name) => name === 'features.schema.json' },
};

const schemaFiles = readdirSync(schemaDir)
  .filter((name) => name.endsWith('.schema.json'))
  .sort();

function inputHash() {
  const hash = createHash('sha256');
  const inputs = [
    fileURLToPath(import.meta.url),
    require.resolve('ajv/package.json'),
    require.resolve('json-schema-to-typescript/package.json'),
    ...schemaFiles.map((name) => schemaDir + name),
  ];
  for (const input of inputs) hash.update(readFileSync(input)).update('\0');
  return hash.digest('hex');
}

function isCurrent(hash) {
  if (process.argv.includes('--force') || outputs.some((name) => !existsSync(outDir + name))) return false;
  return existsSync(`${outDir}.inputs`) && readFileSync(`${outDir}.inputs`, 'utf8') === hash;
}

/** Written by rename, so that a build that is interrupted or runs twice leaves no half file. */
function writeOutput(name, text) {
  const temporary = `${outDir}.${name}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, outDir + name);
}

/** The schema that a $ref in `file` names, with the file it stands in. */
function resolveRef(schemas, ref, file) {
  const [target = '', fragment = ''] = ref.split('#');
  const targetFile = target || file;
  let schema = schemas[targetFile];
  for (const key of fragment.split('/').slice(1)) schema = schema?.[key];
  if (schema === undefined) throw new Error(`${file}: cannot resolve ${ref}`);
  return [schema, targetFile];
}

// Types

/**
 * Replaces every $ref: to a named definition by its name (`tsType`), to a scalar of defs.schema.json by the scalar.
 * json-schema-to-typescript would resolve them itself, but makes a second type `Name1` of every reference that has
 * a description of its own.
 */
function withNames(schemas, schema, file, used) {
  if (Array.isArray(schema)) return schema.map((item) => withNames(schemas, item, file, used));
  if (schema === null || typeof schema !== 'object') return schema;
  if (typeof schema.$ref === 'string') {
    const [target, targetFile] = resolveRef(schemas, schema.$ref, file);
    const { description } = schema;
    if (target.title === undefined) {
      return { ...withNames(schemas, target, targetFile, used), ...(description && { description }) };
    }
    used.set(target.title, targetFile);
    return { tsType: target.title, ...(description && { description }) };
  }
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== '$comment' && key !== '$id')
      .map(([key, value]) => [key, withNames(schemas, value, file, used)]),
  );
}

async function makeTypes(schemas, name) {
  const { compile } = await import('json-schema-to-typescript');
  const { root, files } = typeFiles[name];
  const used = new Map();
  const definitions = {};
  for (const file of schemaFiles.filter(files)) {
    Object.assign(definitions, withNames(schemas, schemas[file].definitions ?? {}, file, used));
  }
  const document = { ...withNames(schemas, schemas[root], root, used), definitions };
  const imports = [...used]
    .filter(([, file]) => !files(file))
    .map(([title]) => title)
    .sort();
  const header = '/** Made by scripts/generate.mjs from schemas/*.schema.json. */';
  const text = await compile(document, document.title, {
    additionalProperties: false,
    bannerComment: imports.length
      ? `${header}\nimport type { ${imports.join(', ')} } from './config.d.ts';`
      : header,
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    style: { printWidth: 110, singleQuote: true },
  });
  return text.replace(/ \*\n \* This interface was referenced by .*\n \* via the .*\n/g, '');
}

// Validators

/** Documentation has no place in the validators, which embed parts of their schemas. */
function withoutDocs(schema) {
  if (Array.isArray(schema)) return schema.map(withoutDocs);
  if (schema === null || typeof schema !== 'object') return schema;
  const docs = ['description', 'title', '$comment'];
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(docs.includes(key) && typeof value === 'string'))
      .map(([key, value]) => [key, withoutDocs(value)]),
  );
}

/** Every pattern with the words that describe it: the $comment beside it. */
function patternTexts(schema, texts = new Map()) {
  if (schema !== null && typeof schema === 'object') {
    if (typeof schema.pattern === 'string') {
      if (typeof schema.$comment !== 'string') throw new Error(`pattern ${schema.pattern} has no $comment`);
      texts.set(schema.pattern, schema.$comment);
    }
    for (const value of Object.values(schema)) patternTexts(value, texts);
  }
  return texts;
}

const typeTexts = {
  array: 'an array',
  boolean: 'true or false',
  integer: 'an integer',
  object: 'an object',
  string: 'a string',
};

/** What a keyword allows, in words; `params` as in Ajv's error objects. */
function allowedText(keyword, params, texts) {
  switch (keyword) {
    case 'type':
      return typeTexts[params.type];
    case 'enum':
      return `one of ${params.allowedValues.filter((value) => value !== '').join(', ')}`;
    case 'minimum':
      return `a number of at least ${params.limit}`;
    case 'maximum':
      return `a number of at most ${params.limit}`;
    case 'minItems':
      return params.limit === 1 ? 'at least one entry' : `at least ${params.limit} entries`;
    case 'pattern':
      return texts.get(params.pattern);
    case 'required':
      return 'a value (it is required)';
    default:
      throw new Error(`no text for the keyword ${keyword}`);
  }
}

const errorBlock =
  /const (err\d+) = \{instancePath(?::(.+?))?,schemaPath:"[^"]*",keyword:"([a-zA-Z]+)",params:(\{.*\})\};\nif\(vErrors === null\)\{\nvErrors = \[\1\];\n\}\nelse \{\nvErrors\.push\(\1\);\n\}\nerrors\+\+;/g;
const callBlock =
  /if\(!\((validate\d+)\((.+?), \{instancePath:(.+?),parentData:.+?,parentDataProperty:.+?,rootData\}\)\)\)\{\nvErrors = .+\nerrors = vErrors\.length;\n\}/g;
const functionHead =
  /function (validate\d+)\(data, \{instancePath="", parentData, parentDataProperty, rootData=data\}=\{\}\)\{\n(?:\/\*#.*\*\/;?\n)?let vErrors = null;\nlet errors = 0;\n/g;
const functionFoot = /validate\d+\.errors = vErrors;\nreturn errors === 0;\n/g;
const schemaConst = /^const (schema\d+) = (.+);$/gm;
const exportLine = /^export const (\w+) = (validate\d+);$/gm;
/** The three tests of an integer and its range, after errors have become calls of fail. */
const integerBlock =
  /if\(!\(\(\(typeof (\w+|data\.\w+) == "number"\) && \(!\(\1 % 1\) && !isNaN\(\1\)\)\) && \(isFinite\(\1\)\)\)\)\{\nfail\((.+),"an integer"\);\n\}\nif\(\(typeof \1 == "number"\) && \(isFinite\(\1\)\)\)\{\nif\(\1 > (\S+) \|\| isNaN\(\1\)\)\{\nfail\(.*\);\n\}\nif\(\1 < (\S+) \|\| isNaN\(\1\)\)\{\nfail\(.*\);\n\}\n\}/g;
const patternConst = /^const pattern(\d+) = new RegExp\("(.*)", "u"\);$/gm;
const objectTest = /(\w+(?:\.\w+)?) && typeof \1 == "object" && !Array\.isArray\(\1\)/g;

/** A bound as it is meant: JSON's numbers can't hold those of 64 bits. */
function bound(text) {
  const power = Math.log2(Math.abs(Number(text)));
  if (!Number.isInteger(power) || power < 53) return text;
  return Number(text) < 0 ? `-2^${power}` : `2^${power} - 1`;
}

/** Ajv's module with its error objects replaced by `fail(path, allowed)`. */
function compact(code, texts) {
  const schemas = Object.fromEntries(
    [...code.matchAll(schemaConst)].map(([, name, value]) => [name, JSON.parse(value)]),
  );
  // Params are an object literal of Ajv's: constants, and paths into the schema constants.
  const evaluate = (literal) =>
    new Function(...Object.keys(schemas), `return ${literal}`)(...Object.values(schemas));
  const exported = [...code.matchAll(exportLine)];
  const patterns = Object.fromEntries(
    [...code.matchAll(patternConst)].map(([, number, source]) => [number, JSON.parse(`"${source}"`)]),
  );
  const body = code
    .replace(/^"use strict";\n?/, '')
    .replace(exportLine, '')
    .replace(schemaConst, '')
    .replace(errorBlock, (_, _name, path = 'path', keyword, literal) => {
      const params = evaluate(literal);
      const where = keyword === 'required' ? `${path}+${JSON.stringify(`/${params.missingProperty}`)}` : path;
      return `fail(${where},${JSON.stringify(allowedText(keyword, params, texts))});`;
    })
    .replace(integerBlock, (_, value, path, max, min) => {
      return `if(!(Number.isInteger(${value}) && ${value} >= ${min} && ${value} <= ${max})){\nfail(${path},"an integer from ${bound(min)} to ${bound(max)}");\n}`;
    })
    .replace(callBlock, '$1($2, $3);')
    .replace(functionHead, 'function $1(data, path){\n')
    .replace(functionFoot, '')
    .replace(objectTest, 'isObject($1)')
    // What the two commonest patterns say, without starting the regular expression engine.
    .replace(/!pattern(\d+)\.test\((data\d+)\)/g, (call, number, value) => {
      if (patterns[number] === '^/') return `!${value}.startsWith("/")`;
      return patterns[number] === '^(/|$)' ? `${value} !== "" && !${value}.startsWith("/")` : call;
    })
    .replace(/\binstancePath\b/g, 'path')
    // "/a/" + key and path+"/a"+"/b": one constant
    .replace(/"\+"/g, '')
    .replace(patternConst, (_, number) => {
      return ['^/', '^(/|$)'].includes(patterns[number])
        ? ''
        : `const pattern${number} = ${new RegExp(patterns[number], 'u')};`;
    })
    .replace(/\n{2,}/g, '\n');
  const leftover = /vErrors|errors|rootData|schema\d+|parentData|require\(|isNaN|validate\d+\.errors/.exec(
    body,
  );
  if (leftover)
    throw new Error(
      `unknown form in Ajv's output near: ${body.slice(leftover.index - 200, leftover.index + 200)}`,
    );
  return `// Made by scripts/generate.mjs from schemas/*.schema.json with Ajv's standalone code.
let failures = [];
function fail(path, allowed){
failures.push({path, allowed});
}
function isObject(data){
return data !== null && typeof data === "object" && !Array.isArray(data);
}
function run(validate, data){
failures = [];
validate(data, "");
return failures;
}
${exported.map(([, name, target]) => `export const ${name} = (data) => run(${target}, data);`).join('\n')}
${body}`;
}

function makeValidators(schemas) {
  const Ajv = require('ajv').default;
  const standalone = require('ajv/dist/standalone').default;
  const ajv = new Ajv({
    allErrors: true,
    messages: false,
    strict: true,
    schemas: Object.values(withoutDocs(schemas)),
    code: { source: true, esm: true, lines: true, optimize: 3 },
  });
  return compact(standalone(ajv, validators), patternTexts(schemas));
}

const validatorTypes = `// Made by scripts/generate.mjs.
/** A place where the data violates the schema. */
export interface Failure {
  /** Keys from the root, each after a slash. */
  path: string;
  /** What the schema allows there, in words. */
  allowed: string;
}
${Object.keys(validators)
  .map((name) => `export declare const ${name}: (data: unknown) => Failure[];`)
  .join('\n')}
`;

const hash = inputHash();
if (!isCurrent(hash)) {
  const schemas = Object.fromEntries(
    schemaFiles.map((name) => [name, JSON.parse(readFileSync(schemaDir + name, 'utf8'))]),
  );
  mkdirSync(outDir, { recursive: true });
  for (const name of Object.keys(typeFiles)) writeOutput(name, await makeTypes(schemas, name));
  writeOutput('validate.mjs', makeValidators(schemas));
  writeOutput('validate.d.mts', validatorTypes);
  writeOutput('.inputs', hash);
}
