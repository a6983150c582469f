"""The proving ground: a small drawn world in which every method must really work. The pack never imports it."""
