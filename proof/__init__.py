"""The proving ground: a small drawn world where every method must really work. The pack never imports it."""
