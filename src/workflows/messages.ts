import { defineQuery, defineSignal } from '@temporalio/workflow';

import { attemptIdQuery, signalNames } from '../call/workflow-messages';

/** What they carry is whatever was sent: it is looked at before it is believed. */
export const slotGranted = defineSignal<[unknown]>(signalNames.slotGranted);
export const callReported = defineSignal<[unknown]>(signalNames.callReported);
export const callEdited = defineSignal<[unknown]>(signalNames.callEdited);
export const attemptInHand = defineQuery<string>(attemptIdQuery);
