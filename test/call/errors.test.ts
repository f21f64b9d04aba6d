import { CallError, errorCatalogue, type ErrorCode } from '../../src/call/errors';

const codes = Object.keys(errorCatalogue) as ErrorCode[];

test.each(codes)('%s is a stable name with an HTTP error status and a title of its own', (code) => {
  const { status, title } = errorCatalogue[code];
  expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  expect([400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 500, 503]).toContain(status);
  expect(title).toMatch(/^[A-Z].*[^.]$/);
  expect(codes.filter((other) => errorCatalogue[other].title === title)).toEqual([code]);
});

/** Clients are written against these; a change breaks them. */
test('the codes and statuses are the ones published', () => {
  expect(Object.fromEntries(codes.map((code) => [code, errorCatalogue[code].status]))).toEqual({
    CALL_FORGOTTEN: 409,
    CALL_NOT_ENDED: 409,
    WEBHOOK_DELIVERY_NOT_FOUND: 404,
    WEBHOOK_ENDPOINT_DISABLED: 409,
    WEBHOOK_ENDPOINT_NOT_FOUND: 404,
    INVALID_REQUEST: 400,
    INVALID_JSON: 400,
    INVALID_CSV: 400,
    INVALID_ID: 400,
    INVALID_SIGNATURE: 401,
    UNAUTHENTICATED: 401,
    FORBIDDEN: 403,
    CALL_NOT_FOUND: 404,
    ROUTE_NOT_FOUND: 404,
    METHOD_NOT_ALLOWED: 405,
    REQUEST_TIMEOUT: 408,
    NUMBER_BUSY: 409,
    IDEMPOTENCY_KEY_REUSED: 409,
    IDEMPOTENCY_KEY_IN_FLIGHT: 409,
    CALL_NOT_PENDING: 409,
    CALL_ALREADY_ENDED: 409,
    CALL_NOT_RETRYABLE: 409,
    PAYLOAD_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    RATE_LIMITED: 429,
    INTERNAL_ERROR: 500,
    DEPENDENCY_UNAVAILABLE: 503,
  });
});

test('an error without words of its own says its title; the words of the contract for a busy number', () => {
  expect(new CallError('NUMBER_BUSY').message).toBe('Call already in progress to this number');
  expect(new CallError('CALL_NOT_FOUND', 'There is no call 1.').message).toBe('There is no call 1.');
});

test('an error keeps its cause, its fields and the call in the way', () => {
  const cause = new Error('the index');
  const error = new CallError('NUMBER_BUSY', undefined, {
    cause,
    activeCallId: 'a',
    errors: [{ path: 'to', message: 'm' }],
  });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'CallError',
    code: 'NUMBER_BUSY',
    cause,
    activeCallId: 'a',
    errors: [{ path: 'to', message: 'm' }],
  });
});
