import { scannerCases } from './scanner-cases.ts';

scannerCases('relay');
