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
        result = session.execute(text("SELECT berth FROM berths WHERE berth = '" + berth + "'")).fetchone()
        if not result:
            raise HTTPException(status_code=404, detail="Berth not found")
        session.execute(text("UPDATE berths SET vessel = '" + vessel + "' WHERE berth = '" + berth + "'"))
        session.commit()
    return {"berth": berth, "vessel": vessel}
