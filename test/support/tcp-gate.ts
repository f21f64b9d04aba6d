import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A port that leads to another one while it is open; shutting it cuts what goes through it and refuses what comes. */
export interface TcpGate {
  port: number;
  open: () => Promise<void>;
  shut: () => Promise<void>;
}

/** @param target where it leads to. @returns a gate that is shut */
export async function createTcpGate(target: { host: string; port: number }): Promise<TcpGate> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  const shut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  await shut();
  return { port, open: () => listen(port), shut };
}
