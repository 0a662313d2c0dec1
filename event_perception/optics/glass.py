# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Refractive index from two published numbers of a glass: n_d and the Abbe number V_d.

Between the lines F and C of hydrogen a two-term Cauchy law n = A + B / wavelength^2 is used; its two constants
follow from n_d and V_d = (n_d - 1) / (n_F - n_C), so that a glass is two numbers, as patents give it. Against the
six-term Sellmeier law of the makers it is off by up to about 1e-3 at 0.4 um and by less than 3e-4 from F to C.
"""

from dataclasses import dataclass

from event_perception.errors import DataError

LINE_F_UM, LINE_D_UM, LINE_C_UM = 0.48613, 0.58756, 0.65627  # hydrogen F, helium d, hydrogen C


@dataclass(frozen=True, slots=True)
class Glass:
    """A medium.

    Attributes:
        name: As it was written in the lens file.
        n_d: Index at the helium d line, relative to air.
        abbe: V_d; infinite for no dispersion.
    """

    name: str
    n_d: float
    abbe: float = float('inf')

    def index(self, wavelength_um: float) -> float:
        """Index at a wavelength, by Cauchy's law through n_d and V_d."""
        b = (self.n_d - 1) / (self.abbe * (LINE_F_UM**-2 - LINE_C_UM**-2))
        return self.n_d + b * (wavelength_um**-2 - LINE_D_UM**-2)


AIR = Glass('air', 1.0)

# n_d and V_d as the makers' data sheets print them (Schott 2023; plastics: usual handbook values).
CATALOGUE = {
    'n-bk7': (1.51680, 64.17),
    'bk7': (1.51680, 64.17),
    'n-k5': (1.52249, 59.48),
    'n-bak4': (1.56883, 55.98),
    'n-sk11': (1.56384, 60.80),
    'n-sk16': (1.62041, 60.32),
    'sk16': (1.62041, 60.33),
    'n-lak9': (1.69100, 54.71),
    'n-lak22': (1.65113, 55.89),
    'n-lasf9': (1.85025, 32.17),
    'f2': (1.62004, 36.37),
    'n-f2': (1.62005, 36.43),
    'f5': (1.60342, 38.03),
    'sf1': (1.71736, 29.51),
    'n-sf5': (1.67271, 32.25),
    'sf5': (1.67270, 32.21),
    'n-sf6': (1.80518, 25.36),
    'sf6': (1.80518, 25.43),
    'n-sf11': (1.78472, 25.68),
    'n-sf19': (1.66680, 33.12),
    'n-fk51a': (1.48656, 84.47),
    'caf2': (1.43385, 95.23),
    'silica': (1.45846, 67.82),
    'pmma': (1.49176, 57.44),
    'coc': (1.53373, 56.22),
    'polycarb': (1.58547, 29.91),
    'polystyr': (1.59048, 30.87),
    'okp4': (1.60730, 26.88),
}


def glass(text: str) -> Glass:
    """A medium from 'air', 'n_d/V_d' or a name of the catalogue, in any case.

    Raises:
        DataError: If the name is unknown or the numbers cannot be a glass.
    """
    name = text.strip().lower()
    if name in ('air', 'vacuum', 'occluder'):  # the last is what some files write behind a stop
        return AIR
    if '/' in name:
        return _numbered(name)
    if name not in CATALOGUE:
        raise DataError(
            f'glass {text!r} is not in the catalogue; write it as "nd/Vd", for instance "1.5168/64.17", or use one '
            f'of {sorted(CATALOGUE)}'
        )
    return Glass(name, *CATALOGUE[name])


def _numbered(name: str) -> Glass:
    try:
        n_d, abbe = (float(part) for part in name.split('/'))
    except ValueError as error:
        raise DataError(f'glass {name!r}: expected "nd/Vd", two numbers') from error
    if not (1.0 <= n_d < 5.0 and abbe > 0):
        raise DataError(f'glass {name!r}: nd must lie in [1, 5) and Vd above 0')
    return Glass(name, n_d, abbe)
