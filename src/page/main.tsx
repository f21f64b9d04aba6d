import { render } from 'preact';

import { App } from './app';
import { followEvents } from './service/stream';

const place = document.getElementById('page');
if (place) {
  followEvents();
  render(<App />, place);
}
