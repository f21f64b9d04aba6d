import { defineSignal } from '@temporalio/workflow';

import { signalNames, type CallEdited, type CallReported, type SlotGranted } from '../call/workflow-messages';

export const slotGranted = defineSignal<[SlotGranted]>(signalNames.slotGranted);
export const callReported = defineSignal<[CallReported]>(signalNames.callReported);
export const callEdited = defineSignal<[CallEdited]>(signalNames.callEdited);
