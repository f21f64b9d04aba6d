import { isFinal } from '../../call/transitions';
import type { CallStatus } from '../../client/answers';
import { CallsApiError, CallsConnectionError } from '../../client/errors';

export const statusNames: Record<CallStatus, string> = {
  PENDING: 'Pending',
  IN_PROGRESS: 'In progress',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  EXPIRED: 'Expired',
  CANCELED: 'Canceled',
};

/** `NO_ANSWER` as people read it. */
export function plain(name: string): string {
  const words = name.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export { isFinal };

/** `0:07`, `12:30`, `3:02:10`, `4 d 1 h`: as clocks have it, to be read at a glance. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [whole / 86_400, (whole / 3_600) % 24, (whole / 60) % 60].map(Math.floor) as [
    number,
    number,
    number,
  ];
  const two = (value: number) => String(value).padStart(2, '0');
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
  return `${minutes}:${two(whole % 60)}`;
}

/** `7 s`, `12 min`, `3 h`, `4 d`: roughly, for what is an estimate or long ago. */
export function roughly(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 90) return `${Math.round(size)} s`;
  if (size < 90 * 60) return `${Math.round(size / 60)} min`;
  if (size < 48 * 3_600) return `${Math.round(size / 3_600)} h`;
  return `${Math.round(size / 86_400)} d`;
}

const number = new Intl.NumberFormat('en');
export const count = (value: number): string => number.format(value);

export const percent = (share: number): string => `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;

const moment = new Intl.DateTimeFormat('en-GB', {
  ...{ year: 'numeric', month: 'short', day: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
});
const sameYear = new Intl.DateTimeFormat('en-GB', {
  ...{ month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' },
});
const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** In the reader's time zone. */
export const fullTime = (iso: string): string => moment.format(new Date(iso));

/** The time of day, with as much of its date as is not today's. */
export function shortTime(iso: string, present: number): string {
  const [at, today] = [new Date(iso), new Date(present)];
  if (at.toDateString() === today.toDateString()) return timeOfDay.format(at);
  return (at.getFullYear() === today.getFullYear() ? sameYear : moment).format(at);
}

export function explain(error: unknown): string {
  if (error instanceof CallsConnectionError || error instanceof TypeError)
    return 'The service cannot be reached. This page goes on trying.';
  if (error instanceof CallsApiError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
