import { testEngine } from '../engines/test.ts';
import { containerd } from './engine.ts';

testEngine(containerd);
