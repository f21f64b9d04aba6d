import { createServer, type AddressInfo, type Server } from 'node:net';
import { assertPortsFree, listenerOn, pickFreePorts, portTakenLine } from '../../infra/tcp-port';

let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => server.close());

test('a taken port is told in one line: who has it, and which setting moves ours', async () => {
  const claim = { port, setting: 'POSTGRES_PORT', title: 'PostgreSQL' };

  await expect(assertPortsFree([claim])).rejects.toThrow(
    new RegExp(
      `^Port ${port}, wanted for PostgreSQL, is taken by .*: stop it, or set POSTGRES_PORT to a free port\\.$`,
    ),
  );
});

test('where the system does not tell who has it, the line still says what to do', () => {
  const claim = { port: 9092, setting: 'KAFKA_PORT', title: 'Kafka' };

  expect(portTakenLine(claim, undefined)).toBe(
    'Port 9092, wanted for Kafka, is taken by another process: stop it, or set KAFKA_PORT to a free port.',
  );
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('the process that listens is found', () => {
  expect(listenerOn(port)?.pid).toBe(process.pid);
});

test('picked ports are different ones, and free', async () => {
  const ports = await pickFreePorts(5);

  expect(new Set(ports).size).toBe(5);
  await expect(
    assertPortsFree(ports.map((picked) => ({ port: picked, setting: 'X', title: 'X' }))),
  ).resolves.toBeUndefined();
});
