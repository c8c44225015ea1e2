"""What every record that is written has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Six significant digits: finer than anything measured here, and the same on every machine.
Number = Annotated[float, AfterValidator(lambda value: float(f"{value:.6g}"))]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Amount = Annotated[Number, Field(ge=0)]


class Record(BaseModel):
    """Closed, immutable, and without NaN or infinity."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, from_attributes=True
    )
