import type { ComponentChildren } from 'preact';

import type { CallRequest } from '../../client/answers';
import { Field, problemsOf } from '../parts/fields';

/** What is typed into the fields. */
export interface FieldTexts {
  to: string;
  scriptId: string;
  /** A local time, without a zone. */
  expiresAt: string;
  webhookUrl: string;
  /** JSON. */
  metadata: string;
}

export const noTexts: FieldTexts = { to: '', scriptId: '', expiresAt: '', webhookUrl: '', metadata: '' };

interface CallFieldsProps {
  texts: FieldTexts;
  error: unknown;
  /** Another field among them. */
  children?: ComponentChildren;
}

/** The fields of a call that may be set; what is wrong with one stands under it. */
export function CallFields({ texts, error, children }: CallFieldsProps) {
  const problems = problemsOf(error);
  return (
    <>
      <Field name="Number" hint="With its country, such as +966501234567" problem={problems['to']}>
        {(attributes) => (
          <input {...attributes} name="to" type="tel" defaultValue={texts.to} required autocomplete="off" />
        )}
      </Field>
      <Field name="Script" problem={problems['scriptId']}>
        {(attributes) => (
          <input {...attributes} name="scriptId" defaultValue={texts.scriptId} required autocomplete="off" />
        )}
      </Field>
      <Field name="Expires (optional)" hint="Not dialled after that" problem={problems['expiresAt']}>
        {(attributes) => (
          <input {...attributes} name="expiresAt" type="datetime-local" defaultValue={texts.expiresAt} />
        )}
      </Field>
      {children}
      <Field
        name="Metadata (optional)"
        isWide
        hint={'A JSON object, handed to the provider: {"customer": "42"}'}
        problem={problems['metadata']}
      >
        {(attributes) => (
          <textarea {...attributes} name="metadata" rows={3} defaultValue={texts.metadata} spellcheck={false} />
        )}
      </Field>
      <Field name="Webhook (optional)" isWide hint="A URL that gets the call's events" problem={problems['webhookUrl']}>
        {(attributes) => <input {...attributes} name="webhookUrl" type="url" defaultValue={texts.webhookUrl} />}
      </Field>
    </>
  );
}

/** @throws Error for metadata that is no JSON object; all else is the service's to judge */
export function readFields(form: HTMLFormElement): { texts: FieldTexts; request: CallRequest } {
  const data = new FormData(form);
  const textOf = (name: keyof FieldTexts) => {
    const text = data.get(name);
    return typeof text === 'string' ? text.trim() : '';
  };
  const texts: FieldTexts = {
    to: textOf('to').replaceAll(/[\s().-]/g, ''),
    scriptId: textOf('scriptId'),
    expiresAt: textOf('expiresAt'),
    webhookUrl: textOf('webhookUrl'),
    metadata: textOf('metadata'),
  };
  const priority = data.get('priority');
  return {
    texts,
    request: {
      to: texts.to,
      scriptId: texts.scriptId,
      ...(texts.metadata !== '' && { metadata: readMetadata(texts.metadata) }),
      ...(texts.expiresAt !== '' && { expiresAt: new Date(texts.expiresAt).toISOString() }),
      ...(texts.webhookUrl !== '' && { webhookUrl: texts.webhookUrl }),
      ...(typeof priority === 'string' && { priority: Number(priority) }),
    },
  };
}

type Metadata = NonNullable<CallRequest['metadata']>;

function readMetadata(text: string): Metadata {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Metadata;
  } catch {
    // Told below.
  }
  throw new Error('Metadata must be a JSON object, such as {"customer": "42"}.');
}
