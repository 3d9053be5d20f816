# Functions that something outside the program calls.

# case: route of flask
import os
from flask import Flask
app = Flask('a')


@app.route('/<d>')
def a(d):
    os.system('ls ' + d)

# case: route of an application of another file
import os
from site_ import app


@app.get('/{d}')
def a(d):
    os.system('ls ' + d)

# case: view of django
import os
from django.http import HttpResponse


def a(request, d):
    os.system('ls ' + request.GET['d'])

# case: view class
import os
from django.views import View


class A(View):
    def get(self, r, d):
        os.system('ls ' + d)

# case: handler of tornado
import os
import tornado.web


class A(tornado.web.RequestHandler):
    def get(self, d):
        os.system('ls ' + d)

# case: resource of flask_restful
import os
from flask_restful import Resource


class A(Resource):
    def get(self, d):
        os.system('ls ' + d)

# case: cloud function
import os
def lambda_handler(event, context):
    os.system('ls ' + event['d'])

# case: cloud event
import os
import functions_framework


def a(cloud_event):
    os.system('ls ' + cloud_event.data['d'])

# case: azure function
import os
import azure.functions as func


def a(req: func.HttpRequest):
    os.system('ls ' + req.params['d'])

# case: command of click
import os
import click


@click.command()
@click.argument('d')
def a(d):
    os.system('ls ' + d)

# case: command of typer
import os
import typer
app = typer.Typer()


@app.command()
def a(d: str):
    os.system('ls ' + d)

# case: main
import os
def main(argv=None):
    os.system('ls ' + argv[1])

# case: management command
import os
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def handle(self, *args, **options):
        os.system('ls ' + options['d'])

# case: task of celery
import os
from celery import shared_task


@shared_task
def a(d):
    os.system('ls ' + d)

# case: task of an application of another file
import os
from .celery import app


@app.task(bind=True)
def a(self, d):
    os.system('ls ' + d)

# case: callback of pika
import os
import pika


def a(ch, method, properties, body):
    os.system('ls ' + body.decode())

# case: callback of mqtt
import os
import paho.mqtt.client


def a(client, userdata, msg):
    os.system('ls ' + msg.payload.decode())

# case: websocket
import os
import websockets


async def a(websocket):
    async for text in websocket:
        os.system('ls ' + text)

# case: consumer of channels
import os
from channels.generic.websocket import WebsocketConsumer


class A(WebsocketConsumer):
    def receive(self, text_data):
        os.system('ls ' + text_data)

# case: protocol of asyncio
import os
import asyncio


class A(asyncio.Protocol):
    def data_received(self, data):
        os.system(b'ls ' + data)

# case: servicer of grpc
import os
import a_pb2_grpc


class A(a_pb2_grpc.AServicer):
    def List(self, request, context):
        os.system('ls ' + request.folder)

# case: application of wsgi
import os
def application(environ, start_response):
    os.system('ls ' + environ['PATH_INFO'])

# case: request that is known by its parts
import os


def show(request):
    os.system('ls ' + request.args['d'])

# case: text of a route that is named like an exception
import os
from flask import Flask
app = Flask('a')


@app.route('/<error>')
def a(error):
    os.system('ls ' + error)

# case: responder of falcon
import os
import falcon


class A:
    def on_get(self, req, resp, d):
        os.system('ls ' + d)

# case: resolver of graphene
import os
import graphene


class Query(graphene.ObjectType):
    def resolve_a(self, info, d):
        os.system('ls ' + d)

# case: field of strawberry
import os
import strawberry


@strawberry.mutation
def a(info: strawberry.Info, d: str) -> str:
    os.system('ls ' + d)
    os.system('ls ' + info.context.folder)

# case: field of ariadne
import os
from ariadne import QueryType

query = QueryType()


@query.field('a')
def a(obj, info, d):
    os.system('ls ' + d)

# case: function given to a router
import os
from flask import Flask


def a(d):
    os.system('ls ' + d)


Flask('a').add_url_rule('/<d>', view_func=a)

# case: function of an XML-RPC server
import os
from xmlrpc.server import SimpleXMLRPCServer


def a(d):
    os.system('ls ' + d)


SimpleXMLRPCServer(('', 9000)).register_function(a)
