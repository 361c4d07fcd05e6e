y[0] = x[0];
for (i = 1; i < OUTPUTS; i++)
  if (x[i] > y[0])
    y[0] = x[i];
y[1] = 0.0f;
for (i = 0; i < OUTPUTS; i++) {
  outputs[i] = expf(x[i] - y[0]);
  y[1] += outputs[i];
}
for (i = 0; i < OUTPUTS; i++)
  outputs[i] /= y[1];
