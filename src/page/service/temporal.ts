const workflows = document.querySelector<HTMLMetaElement>('meta[name=temporal-workflows]')?.content ?? '';

/** The call's workflow in Temporal's Web UI. */
export const workflowUrl = (callId: string): string => workflows + callId;
