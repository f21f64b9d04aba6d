import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type TimeInput,
} from '@opentelemetry/api';

export { SpanKind };

/**
 * A call has one trace, whose id is the call's own, and in it each run of its workflow has a span whose id follows from the
 * run's. So whoever has a call in hand joins its trace, whichever process began it and however long ago: nothing of it is
 * stored or sent along. A caller's own trace is linked to, not gone on with: one that asks for a thousand calls has a
 * thousand traces. Nothing personal stands in a span.
 */
const tracer = trace.getTracer('call-orchestrator');

/** Off, nothing below does anything. */
let on = false;

/** Told by `src/start/tracing.ts`. */
export function switchTracing(to: boolean): void {
  on = to;
}

interface Ids {
  traceId: string;
  spanId: string;
}

let given: Partial<Ids> = {};

/** The ids that the span which is just being started must have; the others may be any. */
export function idsGiven(): Readonly<Partial<Ids>> {
  return given;
}

export interface SpanOptions {
  kind?: SpanKind;
  attributes?: Attributes;
  /** The run of the call's workflow that it is part of. */
  runId?: string;
}

/** A call was accepted: the beginning of its trace. @param traceparent of the request, as W3C Trace Context has it */
export function traceAcceptance(
  callId: string,
  { door, startedAt, traceparent }: { door: 'http' | 'kafka'; startedAt: number; traceparent?: string | undefined },
): void {
  if (!on) return;
  const kind = door === 'http' ? SpanKind.SERVER : SpanKind.CONSUMER;
  const attributes = { 'call.id': callId, 'call.door': door };
  const links = traceparent === undefined ? [] : linkTo(propagation.extract(ROOT_CONTEXT, { traceparent }));
  startWith(rootOf(callId), 'accept call', { kind, attributes, links, startTime: startedAt, root: true }).end();
}

/** A run of the call's workflow is over. */
export function traceRun(
  callId: string,
  runId: string,
  run: { name: string; startedAt: TimeInput; endedAt: TimeInput; attempt: number; failure: string | undefined },
): void {
  if (!on) return;
  const attributes = { 'call.id': callId, 'call.attempt': run.attempt, 'temporal.run_id': runId };
  const options = { attributes, startTime: run.startedAt };
  const span = startWith({ spanId: spanIdOf(runId) }, run.name, options, remote(rootOf(callId)));
  if (run.failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', run.failure);
  span.end(run.endedAt);
}

/** Does a piece of a call's work as a span of its trace. @param callId null where no call was made of a request */
export function inCall<T>(
  callId: string | null,
  name: string,
  options: SpanOptions,
  work: () => Promise<T>,
): Promise<T> {
  return on && callId !== null ? inSpan(startInCall(callId, name, options), work) : work();
}

/** Does a piece of the work in hand as a span below it, where that is traced. */
export function inStep<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  if (!on || trace.getActiveSpan() === undefined) return work();
  return inSpan(tracer.startSpan(name, options), work);
}

/** A piece of a call's work among that of other calls. */
export function beginInCall(
  callId: string | null,
  name: string,
  options: SpanOptions,
): { headers: Record<string, string>; end: () => void } {
  if (!on || callId === null) return { headers: {}, end: () => undefined };
  const span = startInCall(callId, name, options);
  return { headers: headersOf(trace.setSpan(ROOT_CONTEXT, span)), end: () => span.end() };
}

/** What tells the other side of the span in hand: `traceparent`. */
export function traceHeaders(): Record<string, string> {
  return on ? headersOf(context.active()) : {};
}

/** Adds to the span in hand what was learnt on the way. */
export function noteInSpan(attributes: Attributes): void {
  if (on) trace.getActiveSpan()?.setAttributes(attributes);
}

function startInCall(callId: string, name: string, { kind, attributes, runId }: SpanOptions): Span {
  const root = rootOf(callId);
  const active = trace.getActiveSpan()?.spanContext();
  const ofThisCall = active?.traceId === root.traceId;
  const parent = ofThisCall
    ? context.active()
    : remote(runId === undefined ? root : { ...root, spanId: spanIdOf(runId) });
  // One call's work may set off another's, as whoever gives its slot back does.
  const links = ofThisCall ? [] : linkTo(context.active());
  return tracer.startSpan(
    name,
    { links, attributes: { 'call.id': callId, ...attributes }, ...(kind !== undefined && { kind }) },
    parent,
  );
}

async function inSpan<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    // Its kind alone: the words of others may hold a number.
    const { name = 'Error', type } = error as { name?: string; type?: string };
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type ?? name);
    throw error;
  } finally {
    span.end();
  }
}

function startWith(ids: Partial<Ids>, ...[name, options, parent]: Parameters<typeof tracer.startSpan>): Span {
  given = ids;
  try {
    return tracer.startSpan(name, options, parent);
  } finally {
    given = {};
  }
}

function rootOf(callId: string): Ids {
  return { traceId: callId.replaceAll('-', ''), spanId: spanIdOf(callId) };
}

/** The last half of a UUID, which is never all zeros. */
function spanIdOf(uuid: string): string {
  return uuid.replaceAll('-', '').slice(16);
}

function remote(ids: Ids): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

function linkTo(other: Context): Link[] {
  const linked = trace.getSpanContext(other);
  return linked === undefined ? [] : [{ context: linked }];
}

function headersOf(of: Context): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(of, headers);
  return headers;
}
