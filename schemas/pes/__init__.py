"""PES V2: the budget flows between local authorities and Hélios (DGFiP). See README.md for versions and coverage."""
