import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

/** The parts of an OpenAPI 3.1 document that answers are held to. */
export interface Description {
  paths: Record<string, Record<string, OperationDescription>>;
  components: { schemas: Record<string, unknown> };
}

export interface OperationDescription {
  operationId?: string;
  summary?: string;
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, MediaType> };
  responses: Record<string, ResponseDescription>;
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  example?: string | number;
  schema: { type?: string; example?: string | number };
}

export interface MediaType {
  schema: Record<string, unknown>;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

export interface ResponseDescription {
  description: string;
  headers?: Record<string, { required?: boolean }>;
  content?: Record<string, MediaType>;
}

/** An answer as it came over the wire. */
export interface SeenAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Parts of the pages at / and /docs, which the document does not describe. */
const undescribed = /^\/(docs|assets)\/.*$/;

/** `/openapi.json`, and whether an answer is one that it describes. */
export class ApiDocument {
  private readonly ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));
  private readonly validators = new Map<string, ValidateFunction>();
  private readonly routes: { template: string; pattern: RegExp }[];

  constructor(readonly description: Description) {
    // Of ours, checked where the values are.
    for (const format of ['e164', 'base64']) this.ajv.addFormat(format, true);
    this.ajv.addSchema(description, 'document');
    this.routes = Object.keys(description.paths)
      .map((template) => ({ template, pattern: new RegExp(`^${template.replaceAll(/\{.+?\}/g, '[^/]+')}$`) }))
      // `/calls/stream` is not `/calls/{id}`.
      .sort((a, b) => a.template.split('{').length - b.template.split('{').length);
  }

  /** As the API itself serves it. */
  static async servedAt(url: string): Promise<ApiDocument> {
    return new ApiDocument((await (await fetch(`${url}/openapi.json`)).json()) as Description);
  }

  /** @throws Error that says what is missing where route, method, status, media type, headers or body are not described */
  hold(method: string, path: string, answer: SeenAnswer): void {
    // Not as a second argument: `//calls` would be a host.
    const { pathname } = new URL(`http://api${path}`);
    if (undescribed.test(pathname)) return;
    const template = this.routes.find(({ pattern }) => pattern.test(pathname))?.template;
    if (template === undefined) {
      this.holdTo(answer, `${method} ${pathname} (no route)`, 404, 'ROUTE_NOT_FOUND');
      return;
    }
    const operation = this.description.paths[template]?.[method === 'HEAD' ? 'get' : method.toLowerCase()];
    const route = `${method} ${template}`;
    if (!operation) {
      this.holdToOtherMethods(answer, route, template, method);
      return;
    }
    this.holdToOperation(answer, { route, template, method, operation });
  }

  /** As `hold`, and leaves the body to the caller; of one that is not JSON nothing is read. */
  async holdResponse(method: string, path: string, response: Response): Promise<void> {
    const { status, headers } = response;
    const text = isJson(response) ? await response.clone().text() : '';
    this.hold(method, path, { status, headers, text });
  }

  private holdToOperation(
    answer: SeenAnswer,
    { route, template, method, operation }: Route & { operation: OperationDescription },
  ): void {
    const response = operation.responses[answer.status];
    if (!response) throw new Undescribed(route, answer, `the status; it has ${list(operation.responses)}`);
    for (const [name, { required }] of Object.entries(response.headers ?? {})) {
      if (required === true && !answer.headers.has(name))
        throw new Undescribed(route, answer, `that ${name} is left out`);
    }
    if (response.content === undefined) {
      if (answer.text !== '') throw new Undescribed(route, answer, 'a body');
      return;
    }
    const type = mediaType(answer);
    const content = response.content[type];
    if (!content) throw new Undescribed(route, answer, `the media type; it has ${list(response.content)}`);
    if (method === 'HEAD') {
      if (answer.text !== '') throw new Undescribed(route, answer, 'a body, which HEAD never has');
      return;
    }
    if (!isJson(answer) && type !== 'application/x-ndjson') return;
    const place = [
      'paths',
      template,
      method.toLowerCase(),
      'responses',
      String(answer.status),
      'content',
      type,
      'schema',
    ];
    this.holdToSchema(answer, route, place);
  }

  private holdToSchema(answer: SeenAnswer, route: string, place: string[]): void {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
    const validate = this.validators.get(pointer) ?? this.ajv.compile({ $ref: `document#/${pointer}` });
    this.validators.set(pointer, validate);
    // Of lines of JSON each is what the schema describes.
    const values = isJson(answer) ? [answer.text] : answer.text.split('\n').slice(0, -1);
    if (values.every((value) => validate(JSON.parse(value)))) return;
    throw new Undescribed(route, answer, `the body: ${this.ajv.errorsText(validate.errors, { dataVar: 'body' })}`);
  }

  /** A path that is known, asked with a method that is not. */
  private holdToOtherMethods(answer: SeenAnswer, route: string, template: string, method: string): void {
    // A browser's question before a request from another origin.
    if (method === 'OPTIONS' && answer.status === 204) return;
    this.holdTo(answer, `${route} (no such method)`, 405, 'METHOD_NOT_ALLOWED');
    const known = Object.keys(this.description.paths[template] ?? {}).map((name) => name.toUpperCase());
    const expected = known.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).sort();
    const allowed = (answer.headers.get('Allow') ?? '').split(', ').sort();
    if (String(allowed) !== String(expected))
      throw new Undescribed(route, answer, `Allow; it has ${expected.join(', ')}`);
  }

  /** What becomes of requests that are none of the document's. */
  private holdTo(answer: SeenAnswer, route: string, status: number, code: string): void {
    if (answer.status !== status || mediaType(answer) !== 'application/problem+json') {
      throw new Undescribed(route, answer, `the request at all, so that it must get ${status} ${code}`);
    }
    if (answer.text === '') return;
    this.holdToSchema(answer, route, ['components', 'schemas', 'Problem']);
    const { code: seen } = JSON.parse(answer.text) as { code: string };
    if (seen !== code)
      throw new Undescribed(route, answer, `the request at all, so that it must get ${status} ${code}`);
  }
}

interface Route {
  route: string;
  template: string;
  method: string;
}

/** Says in its first line what /openapi.json lacks, and where it would be added. */
class Undescribed extends Error {
  constructor(route: string, answer: SeenAnswer, what: string) {
    super(
      [
        `${route} answered ${answer.status} ${mediaType(answer)}, and /openapi.json does not describe ${what}.`,
        'Describe it in the endpoint (`responses`, `problemAnswers`) or its schema, or answer as described.',
        `The answer: ${answer.text.slice(0, 1_000)}`,
      ].join('\n'),
    );
  }
}

/** One JSON value, and not lines of them. */
export function isJson(answer: Pick<SeenAnswer, 'headers'>): boolean {
  return /^application\/(.+\+)?json$/.test(mediaType(answer));
}

function mediaType({ headers }: Pick<SeenAnswer, 'headers'>): string {
  return (headers.get('Content-Type') ?? 'without a type').split(';')[0]!.trim().toLowerCase();
}

function list(described: Record<string, unknown>): string {
  return Object.keys(described).join(', ');
}
