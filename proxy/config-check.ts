/** A configuration's shape against its published JSON Schema; complaints name the place, the value and what was expected. */
import { readFileSync } from 'node:fs';
import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv';
import { StreamError } from '../shared/errors.js';
import { redactUrl } from '../shared/redaction.js';

/** What the schema says about a value in words; editors show it too. */
interface SchemaPart {
  errorMessage?: string;
  type?: string | string[];
  properties?: Record<string, unknown>;
  propertyNames?: SchemaPart;
  $ref?: string;
}

const words: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  boolean: 'true or false',
  string: 'a text',
};
const MAX_QUOTED_LENGTH = 200;

const schema = JSON.parse(readFileSync(new URL('config-schema.json', import.meta.url), 'utf8')) as AnySchemaObject;
let compiled: ValidateFunction | null = null;

/** Throws `invalid-argument` at the first thing that is not as the schema has it. */
export function checkShape(value: unknown): void {
  compiled ??= compile();
  if (compiled(value)) return;
  // Of nested complaints the last one is the outermost.
  const error = compiled.errors?.at(-1);
  if (error !== undefined) throw complaint(error);
}

/** One complaint in the words that all have. */
export function invalid(path: string, value: unknown, expected: string): StreamError {
  return new StreamError('invalid-argument', `${path}: got "${quote(path, value)}", expected ${expected}.`);
}

function compile(): ValidateFunction {
  const ajv = new Ajv({ verbose: true, strict: true, strictTypes: false, allowUnionTypes: true });
  ajv.addKeyword({ keyword: 'errorMessage', schemaType: 'string' });
  return ajv.compile(schema);
}

function complaint(error: ErrorObject): StreamError {
  const path = pathOf(error.instancePath);
  const part = (error.parentSchema ?? {}) as SchemaPart;
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties') {
    const keys = Object.keys(part.properties ?? {}).filter((key) => key !== '$schema');
    return invalid(path, params.additionalProperty, `one of ${keys.join(', ')} as a key`);
  }
  if (error.keyword === 'propertyNames') return invalid(path, params.propertyName, phrase(resolve(part.propertyNames)));
  if (error.keyword === 'required') {
    const name = String(params.missingProperty);
    const missing = part.properties?.[name] as SchemaPart | undefined;
    return invalid(error.instancePath === '' ? name : `${path}.${name}`, undefined, phrase(resolve(missing)));
  }
  return invalid(path, error.data, phrase(part));
}

function phrase(part: SchemaPart): string {
  if (part.errorMessage !== undefined) return part.errorMessage;
  const types = typeof part.type === 'string' ? [part.type] : (part.type ?? []);
  return types.map((type) => words[type] ?? type).join(' or ') || 'something else';
}

/** A part that only refers to a definition says what that one says. */
function resolve(part: SchemaPart = {}): SchemaPart {
  const name = /^#\/definitions\/(\w+)$/.exec(part.$ref ?? '')?.[1];
  const definitions = schema.definitions as Record<string, SchemaPart>;
  return name === undefined ? part : { ...definitions[name], ...part };
}

/** `/cameras/0/url` → `cameras[0].url`. */
function pathOf(pointer: string): string {
  if (pointer === '') return 'the configuration';
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '');
}

function quote(path: string, value: unknown): string {
  if (value === undefined) return 'nothing';
  if (/secret|password|username|publicKey/i.test(path) && typeof value !== 'object') return '***';
  if (typeof value === 'string') return redactUrl(value).slice(0, MAX_QUOTED_LENGTH);
  if (typeof value !== 'object' || value === null) return String(value);
  const isEmpty = Object.keys(value).length === 0;
  // What is inside may be a secret.
  if (Array.isArray(value)) return isEmpty ? '[]' : 'a list';
  return isEmpty ? '{}' : 'an object';
}
