import { createApp } from './create-app.ts';

const port = Number(process.env.PORT ?? 3000);
const server = createApp().listen(port, '127.0.0.1', (error) => {
  if (error) throw error;
  const address = server.address();
  console.log(`demo app on http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}`);
});
