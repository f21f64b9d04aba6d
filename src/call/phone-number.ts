import { getCountries, parsePhoneNumberWithError, ParseError } from 'libphonenumber-js/max';

/** Calling codes of satellite networks and of carriers without a country; the numbering plans call them mobile. */
const satelliteCallingCodes = ['870', '881', '882', '883'];

export const numberTypes = [
  'MOBILE',
  'FIXED_LINE',
  'FIXED_LINE_OR_MOBILE',
  'VOIP',
  'TOLL_FREE',
  'UAN',
  'PERSONAL_NUMBER',
  'PREMIUM_RATE',
  'SHARED_COST',
  'SATELLITE',
  'PAGER',
  'VOICEMAIL',
] as const;
export type NumberType = (typeof numberTypes)[number];

/** Those that the numbering plans know, by their ISO 3166 codes. */
export const countries = getCountries();

/** The settings that say which numbers may be called. */
export interface CallableNumbers {
  ALLOWED_NUMBER_TYPES: readonly NumberType[];
  /** Left out: those of every country, and those of none, such as a satellite network's. */
  ALLOWED_COUNTRIES?: readonly (typeof countries)[number][] | undefined;
}

/** What every number looks like, whether or not it exists. */
export const e164 = /^\+[1-9][0-9]{6,14}$/;

/**
 * Checks that a string is, to the letter, the E.164 form of a number that can exist and may be called. Nothing is
 * repaired: a space, an extension or another script's digits are refused, so that one number has one spelling.
 *
 * @returns undefined when all is well, else what is wrong, in words for the client
 */
export function numberProblem(value: string, callable: CallableNumbers): string | undefined {
  if (!e164.test(value)) {
    return 'must be a phone number in E.164 form, such as +966501234567';
  }
  try {
    const number = parsePhoneNumberWithError(value);
    if (!number.isValid() || number.number !== value) return 'is not a number that exists in any numbering plan';
    const type = satelliteCallingCodes.includes(number.countryCallingCode) ? 'SATELLITE' : number.getType();
    if (type === undefined || !callable.ALLOWED_NUMBER_TYPES.includes(type)) {
      return `is of type ${type ?? 'unknown'}, which may not be called (setting ALLOWED_NUMBER_TYPES)`;
    }
    const { country } = number;
    if (callable.ALLOWED_COUNTRIES && !(country && callable.ALLOWED_COUNTRIES.includes(country))) {
      return `is of ${country ?? 'no country'}, which may not be called (setting ALLOWED_COUNTRIES)`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof ParseError) return 'is not a number that exists in any numbering plan';
    throw error;
  }
}

/** A number as logs, summaries and histories may show it: `+966•••••••67`. */
export function maskNumber(number: string): string {
  const shown = number.slice(0, 4);
  const end = number.slice(-2);
  return `${shown}${'•'.repeat(Math.max(number.length - shown.length - end.length, 1))}${end}`;
}
