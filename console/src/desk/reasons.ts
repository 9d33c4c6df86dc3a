/** Why a department sends a ticket back; the codes that the hub stores. */
export const REASONS = ['wrong_department', 'outside_district', 'no_power', 'unclear', 'duplicate', 'other'] as const;
