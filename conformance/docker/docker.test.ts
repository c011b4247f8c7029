import { testEngine } from '../engines/test.ts';
import { docker } from './engine.ts';

testEngine(docker);
