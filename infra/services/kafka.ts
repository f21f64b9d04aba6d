import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { cachedDirectory } from '../binary-cache';
import { InfraError } from '../infra-error';
import type { Places } from '../places';
import { withProgress } from '../progress';
import { findOnPath, runTool } from '../run-tool';
import type { InfraSettings } from '../settings';
import { answersTcp, pickFreePorts } from '../tcp-port';
import versions from '../versions.json';
import type { BackingService, Launch } from './backing-service';

const title = 'Kafka';
const oldestJava = 17;

export function kafkaService(settings: InfraSettings, places: Places): BackingService {
  const port = settings.KAFKA_PORT;
  const controllerPort = settings.KAFKA_CONTROLLER_PORT;
  const address = `127.0.0.1:${port}`;
  const data = join(places.data, 'kafka');
  const libraries = join(places.cache, `kafka-${versions.kafka}`);
  let java = 'java';
  return {
    name: 'kafka',
    title,
    address,
    ports: [
      { port, setting: 'KAFKA_PORT', title },
      ...(controllerPort === undefined
        ? []
        : [{ port: controllerPort, setting: 'KAFKA_CONTROLLER_PORT', title: "Kafka's controller" }]),
    ],
    environment: { KAFKA_BROKERS: address },
    stopSignal: 'SIGTERM',
    install: async (signal) => {
      java = await newEnoughJava(signal);
      await cachedDirectory(libraries, title, (directory) => download(directory, signal), signal);
    },
    prepare: async (signal) => {
      const controller = controllerPort ?? (await pickFreePorts(1))[0] ?? 0;
      return prepareBroker({ java, libraries, data, port, controllerPort: controller }, signal);
    },
    healthy: async () => (await answersTcp('127.0.0.1', port)) && brokerServes(address),
    removeData: () => rmSync(data, { recursive: true, force: true }),
  };
}

interface BrokerPlan {
  java: string;
  libraries: string;
  data: string;
  port: number;
  controllerPort: number;
}

async function prepareBroker(plan: BrokerPlan, signal: AbortSignal): Promise<Launch> {
  const { java, libraries, data } = plan;
  mkdirSync(data, { recursive: true });
  const [properties, logging] = [join(data, 'server.properties'), join(data, 'log4j2.properties')];
  writeFileSync(properties, serverProperties(plan));
  writeFileSync(logging, loggingProperties);
  // The optimising compiler would nearly double what each start costs, and one developer's load never earns that back.
  const quickStart = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  const jvm = ['-cp', join(libraries, '*'), `-Dlog4j2.configurationFile=${logging}`, ...quickStart];
  const logs = join(data, 'log');
  if (!existsSync(join(logs, 'meta.properties'))) {
    rmSync(logs, { recursive: true, force: true });
    const clusterId = clusterIdFrom(randomBytes(16));
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties];
    await runTool(java, [...jvm, ...format], { signal });
  }
  return {
    command: java,
    args: ['-Xms128m', '-Xmx512m', ...jvm, 'kafka.Kafka', properties],
    cwd: data,
  };
}

/** A UUID as Kafka writes it. One that began with '-' would be taken for an option, as one in 64 once was. */
export function clusterIdFrom(random: Buffer): string {
  const bytes = Buffer.from(random);
  // The first character stands for the first six bits, and all those below 32 are letters.
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}

function serverProperties({ data, port, controllerPort }: BrokerPlan): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(data, 'log')}`,
    'auto.create.topics.enable=false',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=4',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    // The default wants 128 MB of the heap.
    'log.cleaner.dedupe.buffer.size=16777216',
    // A killed broker may come back only when its old session has ended.
    'broker.session.timeout.ms=6000',
    '',
  ].join('\n');
}

const loggingProperties = [
  'rootLogger.level=warn',
  'rootLogger.appenderRef.console.ref=console',
  'appender.console.type=Console',
  'appender.console.name=console',
  'appender.console.layout.type=PatternLayout',
  'appender.console.layout.pattern=%d{ISO8601} %p %c{1}: %m%n',
  '',
].join('\n');

async function newEnoughJava(signal: AbortSignal): Promise<string> {
  const java = findOnPath('java');
  const needed = `Kafka needs Java ${oldestJava} or newer: install it, or set KAFKA_BROKERS to brokers that run.`;
  if (!java) throw new InfraError(`There is no java on the PATH. ${needed}`);
  const output = await runTool(java, ['-version'], { signal });
  const version = Number(/version "(\d+)/.exec(output)?.[1] ?? 0);
  if (version < oldestJava) throw new InfraError(`${java} is of version ${version}. ${needed}`);
  return java;
}

async function download(directory: string, signal: AbortSignal): Promise<void> {
  const maven = findOnPath('mvn');
  if (!maven) {
    throw new InfraError(
      `${title} is not installed, and there is no Maven to fetch it: install Maven (mvn), or set KAFKA_BROKERS to brokers that run.`,
    );
  }
  await withProgress(`${title}: downloading (once, about half a minute)`, async () => {
    const project = join(directory, 'pom.xml');
    writeFileSync(project, mavenProject());
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${directory}`];
    await runTool(maven, ['-q', '-B', '-f', project, ...goal], { cwd: directory, signal }).catch((error: unknown) => {
      if (!(error instanceof InfraError)) throw error;
      throw new InfraError(
        `${title} could not be downloaded (${error.message}): see that Maven reaches its repository, and start again.`,
        { cause: error },
      );
    });
  });
}

function mavenProject(): string {
  const dependency = (group: string, artifact: string, version: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>call-orchestrator</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
${dependency('org.apache.kafka', `kafka_${versions.kafkaScala}`, versions.kafka)}
${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', versions.kafkaLog4j)}
</dependencies>
</project>
`;
}

async function brokerServes(address: string): Promise<boolean> {
  const kafka = new Kafka({
    clientId: 'infra',
    brokers: [address],
    connectionTimeout: 2000,
    requestTimeout: 2000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    // A broker that is still fenced answers, but is not yet among the brokers.
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
