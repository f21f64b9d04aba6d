import { connect } from 'node:http2';

const serving = 1;

/**
 * The standard gRPC health check (grpc.health.v1), spoken directly: loading a gRPC client would cost every
 * `infra:status` half a second.
 *
 * @returns true when the server says that it serves; false for anything else, within the timeout
 */
export function grpcServes(address: string, timeoutMilliseconds = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const finish = (serves: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(serves);
    };
    const timer = setTimeout(() => finish(false), timeoutMilliseconds);
    session.once('error', () => finish(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const answer: Buffer[] = [];
    request.on('data', (chunk: Buffer) => answer.push(chunk));
    request.once('error', () => finish(false));
    request.once('end', () => finish(statusIn(Buffer.concat(answer)) === serving));
    request.end(healthCheckRequest('temporal.api.workflowservice.v1.WorkflowService'));
  });
}

/** gRPC framing: not compressed, length, then field 1 (the service's name). */
function healthCheckRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Field 1 (varint) of the one message in the answer. */
function statusIn(answer: Buffer): number | undefined {
  return answer[5] === 0x08 ? answer[6] : undefined;
}
