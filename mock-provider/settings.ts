import { z } from 'zod';
import { settingsSchema } from '../src/config';

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const { HOST, WEBHOOK_SECRET, WEBHOOK_SIGNED_CONTENT, LOG_LEVEL } = settingsSchema.shape;

/** The mock provider's settings; those it shares with the service mean and default to the same. */
export const mockSettingsSchema = z
  .object({
    HOST,
    WEBHOOK_SECRET,
    WEBHOOK_SIGNED_CONTENT,
    LOG_LEVEL,
    MOCK_PORT: number(0, 65535).refine(Number.isInteger, 'must be a whole number').prefault('3100'),
    MOCK_MIN_SECONDS: number(0, 86_400).prefault('10'),
    MOCK_MAX_SECONDS: number(0, 86_400).prefault('30'),
    MOCK_SUCCESS_RATE: number(0, 1).prefault('0.9'),
    MOCK_SEED: z.string().optional(),
  })
  .refine((settings) => settings.MOCK_MIN_SECONDS <= settings.MOCK_MAX_SECONDS, {
    path: ['MOCK_MAX_SECONDS'],
    message: 'must be at least MOCK_MIN_SECONDS',
  });
