import { countries, maskNumber, numberProblem, numberTypes, type NumberType } from '../../src/call/phone-number';
import { readConfig } from '../../src/config';

const byDefault = readConfig({});
const ofTypes = (...types: NumberType[]) => ({ ALLOWED_NUMBER_TYPES: types });
const ofEveryType = ofTypes(...numberTypes);
const spelling = /E\.164/;
const plan = /is not a number that exists in any numbering plan/;

describe('a number is accepted only as the one E.164 spelling of itself', () => {
  test.each([
    ['no plus sign', '966501234567'],
    ['00 for the plus sign', '00966501234567'],
    ['spaces', '+966 50 123 4567'],
    ['hyphens', '+966-50-123-4567'],
    ['brackets', '+966(50)1234567'],
    ['Arabic-Indic digits', '+\u0669\u0666\u0666\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667'],
    ['full-width digits', '+96650123456\uff17'],
    ['a full-width plus sign', '\uff0b966501234567'],
    ['a trailing newline', '+966501234567\n'],
    ['a trailing carriage return', '+966501234567\r'],
    ['a trailing space', '+966501234567 '],
    ['a leading space', ' +966501234567'],
    ['a NUL at its end', '+966501234567\0'],
    ['a bidi mark before it', '\u200e+966501234567'],
    ['a bidi override inside', '+9665\u202e01234567'],
    ['a zero-width space', '+96650\u200b1234567'],
    ['a tel: URI', 'tel:+966501234567'],
    ['a sip: URI', 'sip:+966501234567@example.org'],
    ['an extension', '+966501234567;ext=5'],
    ['an extension by letter', '+966501234567x5'],
    ['two plus signs', '++966501234567'],
    ['a second number', '+966501234567,+966501234568'],
    ['letters', '+1800FLOWERS'],
    ['an emergency number', '911'],
    ['an emergency number with a plus sign', '+911'],
    ['a short code', '+11223'],
    ['sixteen digits', '+9665012345678901'],
    ['a country code from 0', '+0501234567'],
    ['a plus sign alone', '+'],
    ['nothing', ''],
  ])('%s is refused', (_, value) => {
    expect(numberProblem(value, ofEveryType)).toMatch(spelling);
  });

  test.each([
    ['one digit too few', '+96650123456'],
    ['one digit too many', '+9665012345678'],
    ['the trunk prefix after the country code', '+9660501234567'],
    ['an area that the plan does not have', '+966991234567'],
    ['a country code that no country has', '+999123456789'],
    ['an area code from 1', '+11234567890'],
  ])('%s is refused as a number that no plan has', (_, value) => {
    expect(numberProblem(value, ofEveryType)).toMatch(plan);
  });

  test.each([
    ['a Saudi mobile', '+966501234567'],
    ['a Saudi landline', '+966112345678'],
    ['a North American number', '+12015550123'],
    ['a British mobile', '+447400123456'],
    ['a German mobile', '+4915123456789'],
    ['an Emirati mobile', '+971501234567'],
    ['an Egyptian mobile', '+201001234567'],
    ['an Italian landline, whose zero belongs to it', '+390612345678'],
    ['a toll-free number', '+18002345678'],
  ])('%s may be called', (_, value) => {
    expect(numberProblem(value, byDefault)).toBeUndefined();
  });
});

describe('a number of a costly kind is refused unless the setting allows its kind', () => {
  test.each<[NumberType, string]>([
    ['PREMIUM_RATE', '+19005551234'],
    ['PREMIUM_RATE', '+449012345678'],
    ['SATELLITE', '+881612345678'],
    ['SATELLITE', '+870773111632'],
    ['SATELLITE', '+882161234567'],
    ['SATELLITE', '+883510012345'],
    ['SHARED_COST', '+491801234567'],
    ['PREMIUM_RATE', '+448431234567'],
    ['PERSONAL_NUMBER', '+447012345678'],
  ])('%s: %s', (type, value) => {
    expect(numberProblem(value, byDefault)).toMatch(new RegExp(`${type}.*ALLOWED_NUMBER_TYPES`));
    expect(numberProblem(value, ofTypes(type))).toBeUndefined();
  });

  test('a kind that is allowed by default is refused where the setting leaves it out', () => {
    expect(numberProblem('+966501234567', ofTypes('FIXED_LINE'))).toMatch(/MOBILE/);
    expect(numberProblem('+966112345678', ofTypes('FIXED_LINE'))).toBeUndefined();
  });
});

describe('a number of a country that the setting leaves out is refused', () => {
  const inTwoCountries = { ...byDefault, ALLOWED_COUNTRIES: ['SA', 'CA'] as const };

  test.each(['+966501234567', '+966112345678', '+14165550123'])('%s may be called', (value) => {
    expect(numberProblem(value, inTwoCountries)).toBeUndefined();
  });

  test.each([
    ['another country', '+971501234567', 'AE'],
    ['a country of the same calling code', '+12015550123', 'US'],
    ['an island of the same calling code', '+18765550123', 'JM'],
    ['no country, toll-free', '+80012345678', 'no country'],
  ])('%s', (_, value, of) => {
    expect(numberProblem(value, byDefault)).toBeUndefined();
    expect(numberProblem(value, inTwoCountries)).toMatch(new RegExp(`^is of ${of},.*ALLOWED_COUNTRIES`));
  });

  test('also where its type is allowed; and its type counts where its country is', () => {
    const satellite = { ALLOWED_NUMBER_TYPES: numberTypes, ALLOWED_COUNTRIES: countries };
    expect(numberProblem('+881612345678', satellite)).toMatch(/no country/);
    expect(numberProblem('+19005551234', { ...byDefault, ALLOWED_COUNTRIES: ['US'] })).toMatch(/PREMIUM_RATE/);
  });
});

describe('a masked number', () => {
  test('shows its first four characters and its last two', () => {
    expect(maskNumber('+966501234567')).toBe('+966•••••••67');
    expect(maskNumber('+12015550123')).toBe('+120••••••23');
  });

  test.each(['', '+1', '+12345', '+123456'])('hides something of even the shortest: %p', (number) => {
    expect(maskNumber(number)).toContain('•');
  });
});
