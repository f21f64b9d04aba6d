import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';

const notFound = 5;

/** @returns Temporal's answer, or undefined where there is no such workflow */
export async function unlessNotFound<Answer>(request: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await request();
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (error instanceof WorkflowNotFoundError || code === notFound) return undefined;
    throw error;
  }
}
