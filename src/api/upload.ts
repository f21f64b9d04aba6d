import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CallError } from '../call/errors';
import type { ApiContext } from './endpoint';
import { tooLarge } from './read-body';
import { chunksInProgress } from './slow-clients';

/** A body that was taken in whole, to be read as often as need be. */
export interface Upload {
  chunks: () => AsyncIterable<Buffer>;
  close: () => Promise<void>;
}

/**
 * Takes a body in whole, onto disk, before anything of it is answered: many clients read no answer while they are still
 * sending, and would wait for ever for a server that waits for them to read. The file has no name from the moment it is
 * open, so that nothing of it outlives the process, however that ends.
 *
 * @throws CallError PAYLOAD_TOO_LARGE, DEPENDENCY_UNAVAILABLE where the disk takes no more, and what `chunksInProgress` throws
 */
export async function takeIn(c: ApiContext, maxBytes: number): Promise<Upload> {
  if (Number(c.req.header('Content-Length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const file = await onDisk(openNameless);
  try {
    let bytes = 0;
    for await (const chunk of chunksInProgress(c)) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      await onDisk(() => file.appendFile(chunk));
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    chunks: () => file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>,
    close: () => file.close(),
  };
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `call-orchestrator-upload-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CallError('DEPENDENCY_UNAVAILABLE', 'There is no room for the file: try again later.', { cause: error });
  }
}
