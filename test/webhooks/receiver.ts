import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import type { WebhookMessage } from '../../src/call/webhook';
import { waitUntil } from '../support/wait-until';

export interface Received {
  path: string;
  /** `webhook-id` */
  id: string;
  headers: IncomingHttpHeaders;
  raw: string;
  message: WebhookMessage;
  /** Milliseconds since the epoch. */
  at: number;
  /** Those of the receiver's secrets by which the published library takes it for ours. */
  verifiedBy: string[];
}

export interface ReceiverAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** Somebody who wants webhooks: a server of its own, which checks each by the specification's own library. */
export class Receiver {
  readonly received: Received[] = [];
  /** Tried one after the other. */
  secrets: string[] = [];
  /** Undefined keeps the sender waiting for ever. `nth`: 1 for the first time that this `webhook-id` comes to that path. */
  answer: (received: Received, nth: number) => ReceiverAnswer | undefined = () => ({ status: 204 });

  private constructor(private readonly server: Server) {}

  static async open(...secrets: string[]): Promise<Receiver> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => receiver.take(request.url ?? '', request.headers, Buffer.concat(chunks), response));
    });
    const receiver = new Receiver(server);
    receiver.secrets = secrets;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  /** Waits until so many have come, to that path. */
  async until(count: number, path = '/', seconds = 90): Promise<Received[]> {
    return waitUntil(
      `${count} webhooks at ${path}`,
      () => {
        const there = this.received.filter((one) => one.path === path);
        return there.length >= count && there;
      },
      seconds,
    );
  }

  /** Ends the connections that were kept open. */
  hangUp(): void {
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(path: string, headers: IncomingHttpHeaders, body: Buffer, response: ServerResponse): void {
    const raw = body.toString('utf8');
    const received: Received = {
      ...{ path, headers, raw, at: Date.now() },
      id: String(headers['webhook-id']),
      message: JSON.parse(raw) as WebhookMessage,
      verifiedBy: this.secrets.filter((secret) => verifies(secret, raw, headers as Record<string, string>)),
    };
    this.received.push(received);
    const nth = this.received.filter((one) => one.id === received.id && one.path === path).length;
    const answer = this.answer(received, nth);
    if (answer) response.writeHead(answer.status, answer.headers).end(answer.body);
  }
}

function verifies(secret: string, raw: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(secret).verify(raw, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
