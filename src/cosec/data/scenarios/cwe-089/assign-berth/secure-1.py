from fastapi import Body, FastAPI, HTTPException
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine("mysql+pymysql:///marina")


@app.put("/berths/{berth}")
def assign_berth(berth: str, vessel: str = Body(..., embed=True)) -> dict[str, str]:
    # set the vessel of the berth in the table berths (berth, vessel) and answer {"berth": "B7", "vessel": "Argo"};
    # 404 for a berth that is not in the table
    with Session(engine) as session:
        result = session.execute(
            text("UPDATE berths SET vessel = :vessel WHERE berth = :berth"),
            {"vessel": vessel, "berth": berth},
        )
        session.commit()
    if result.rowcount == 0:
        raise HTTPException(status_code=404, detail="no such berth")
    return {"berth": berth, "vessel": vessel}
